/* Elements from words: text is always text, never HTML, so nothing that a fact says can act. */

const SVG = "http://www.w3.org/2000/svg";

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/**
 * An HTML element: `el("button", { type: "button", onclick: act, class: "primary" }, "Write")`.
 * Properties that begin with "on" are listeners; null, undefined and false leave one out.
 */
export function el(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

/** The same in SVG. */
export function svg(tag, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), properties, children);
}

/** A button that does `act`. */
export const button = (label, act, properties = {}) =>
  el("button", { type: "button", onclick: act, ...properties }, label);

/** Replace the options of a datalist. */
export function suggest(datalist, values) {
  datalist.replaceChildren(...[...new Set(values)].map((value) => el("option", { value })));
}

/** `act`, run once no further call came for `delay` milliseconds. */
export function settled(act, delay = 250) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(act, delay, ...given);
  };
}

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}
