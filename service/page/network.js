/* The graph around an entity, at the places that the service computed. Arrow keys walk over it. */

import { button, el, svg } from "./dom.js";

const SIZE = 800;
const TALLEST = 560;
const MARGIN = 80;
const LONGEST = 22;
const LABELLED = 40;
const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

/**
 * A drawing of `layout` (GET …/layout). `show(name)` is called for the entity that is chosen; `more`,
 * where it is given, draws what was left out.
 */
export function network(layout, asOf, show, more = null) {
  const when = asOf ? `as of ${asOf}` : "now";
  if (layout.nodes.length < 2) {
    return el("p", { class: "hint" }, `No fact joins it to anything ${when}.`);
  }
  const height = Math.min(TALLEST, 220 + 12 * layout.nodes.length);
  const across = spread(layout.nodes.map((node) => node.x), SIZE, MARGIN);
  const down = spread(layout.nodes.map((node) => node.y), height, MARGIN / 2);
  const spots = new Map(layout.nodes.map((node) =>
    [node.name, { ...node, x: across(node.x), y: down(node.y) }]));
  const nodes = [...spots.values()].map((spot) => node(spot, layout, show));
  const drawing = svg("svg", {
    viewBox: `0 0 ${SIZE} ${height}`, class: "drawing network", role: "group",
    "aria-label": `${layout.entity} and what is near it, ${when}: ${layout.nodes.length} entities, `
      + `${layout.edges.length} facts. Arrow keys walk, Enter opens.`,
    onkeydown: (event) => walk(event, nodes, spots),
    // One node is reached by Tab: the one that had the focus last.
    onfocusin: () => nodes.forEach((each) =>
      each.setAttribute("tabindex", each === document.activeElement ? 0 : -1)),
  },
  layout.edges.map((edge) => line(edge, spots, layout.entity)), nodes);
  return el("figure", {}, drawing, el("figcaption", { class: "hint" },
    `What is near ${layout.entity} ${when}`, layout.complete ? "." : "; nearest ones only. ",
    !layout.complete && more ? button("Draw more.", more, { class: "link" }) : null,
    " Choose one to go there; arrow keys walk from one to the next."));
}

/** A scale that lays `values` over a length, but for a margin at either end. */
function spread(values, length, margin) {
  const least = Math.min(...values);
  const range = Math.max(...values) - least;
  return (value) => (range ? margin + (length - 2 * margin) * (value - least) / range : length / 2);
}

function line(edge, spots, middle) {
  const [from, to] = [spots.get(edge.subject), spots.get(edge.object)];
  const near = edge.subject === middle || edge.object === middle;
  return svg("line", { class: near ? "edge near" : "edge", x1: from.x, y1: from.y, x2: to.x, y2: to.y },
    svg("title", {}, `${edge.subject} · ${edge.relation} · ${edge.object}`));
}

function node(spot, layout, show) {
  const facts = layout.edges.filter((edge) => [edge.subject, edge.object].includes(spot.name));
  const said = facts.slice(0, 3).map((edge) => `${edge.subject} ${edge.relation} ${edge.object}`);
  const label = spot.hops < 2 || layout.nodes.length <= LABELLED;
  return svg("g", {
    class: `node hop-${Math.min(spot.hops, 2)}`, role: "button", tabindex: spot.hops === 0 ? 0 : -1,
    transform: `translate(${spot.x.toFixed(1)} ${spot.y.toFixed(1)})`, "data-name": spot.name,
    "aria-label": `${spot.name}: ${said.join("; ")}`,
    onclick: () => show(spot.name),
  },
  svg("title", {}, `${spot.name}\n${said.join("\n")}`),
  svg("circle", { r: [11, 7, 5][Math.min(spot.hops, 2)] }),
  label ? svg("text", { y: spot.hops === 0 ? -17 : -11 }, brief(spot.name)) : null);
}

function walk(event, nodes, spots) {
  const here = nodes.indexOf(document.activeElement);
  if (here < 0) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    nodes[here].dispatchEvent(new MouseEvent("click"));
    return;
  }
  const direction = ARROWS[event.key];
  if (!direction) return;
  event.preventDefault();
  const next = nearest(spots.get(nodes[here].dataset.name), direction, [...spots.values()]);
  if (!next) return;
  nodes.find((each) => each.dataset.name === next.name).focus();
}

/** The spot that lies most nearly that way: distance along counts once, aside twice. */
function nearest(from, [dx, dy], spots) {
  let best = null;
  let least = Infinity;
  for (const spot of spots) {
    const [x, y] = [spot.x - from.x, spot.y - from.y];
    const along = x * dx + y * dy;
    if (along <= 1) continue;
    const cost = along + 2 * Math.abs(x * dy - y * dx);
    if (cost < least) [best, least] = [spot, cost];
  }
  return best;
}

const brief = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);
