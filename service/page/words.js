/* How facts and dates read, the same everywhere on the page. */

import { el } from "./dom.js";

/** "2010-01-04 – now", or "always" where neither end is known. */
export function interval({ valid_from: from, valid_to: to }) {
  if (!from && !to) return "always";
  return `${from ?? "…"} – ${to ?? "now"}`;
}

/** "subject · relation · object", with the parts told apart. */
export function triple({ subject, relation, object }) {
  return el("span", { class: "fact" },
    el("b", {}, subject), el("i", {}, ` ${relation} `), el("b", {}, object));
}

/** A link to where a fact can be looked up, or its source as text; null without one. */
export function sourceOf({ source }) {
  if (!source) return null;
  if (!/^https?:\/\//i.test(source)) return el("span", { class: "source" }, source);
  let host = source;
  try { host = new URL(source).hostname; } catch { return el("span", { class: "source" }, source); }
  return el("a", { class: "source", href: source, rel: "noreferrer noopener", target: "_blank" },
    host, el("span", { class: "unseen" }, " (opens a new tab)"));
}

/** Today, as the service writes it. */
export const today = () => new Date().toISOString().slice(0, 10);

/** A date as a number of years, for drawing: "2010-07" is about 2010.5; null where none is given. */
export function yearOf(date) {
  const parts = /^([+-]?\d{4,7})(?:-(\d\d))?(?:-(\d\d))?/.exec(date ?? "");
  if (!parts) return null;
  return Number(parts[1]) + (Number(parts[2] ?? 1) - 1) / 12 + (Number(parts[3] ?? 1) - 1) / 365;
}
