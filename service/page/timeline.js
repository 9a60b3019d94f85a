/* What was true of an entity, and when: a row for each fact, and the same as a table. */

import { button, el, svg } from "./dom.js";
import { endings } from "./endings.js";
import { interval, sourceOf, yearOf } from "./words.js";

const WIDTH = 800;
const LABEL = 300;
const ROW = 26;
const AXIS = 24;
const MOST_ROWS = 60;
const LONGEST = 44;

/** A timeline of `facts` around `entity`, with a line at `asOf`; `act.show`, `act.edit` as elsewhere. */
export function timeline(entity, facts, asOf, act) {
  if (!facts.length) return el("p", { class: "hint" }, "No fact of it holds at any time.");
  const rows = [...facts].sort(byRelationAndStart);
  return el("div", { class: "timeline" },
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Timeline" },
      drawing(entity, rows.slice(0, MOST_ROWS), asOf)),
    el("details", {}, el("summary", {}, `All ${rows.length} as a table`), table(rows, act)));
}

function drawing(entity, rows, asOf) {
  const now = new Date().getUTCFullYear() + 1;
  const at = yearOf(asOf) ?? now - 1 + new Date().getUTCMonth() / 12;
  const years = rows.flatMap((fact) => [yearOf(fact.valid_from), yearOf(fact.valid_to)]);
  const first = Math.floor(Math.min(at, ...years.filter((year) => year !== null))) - 1;
  const last = Math.ceil(Math.max(now, at + 1, ...years.filter((year) => year !== null)));
  const x = (year) => LABEL + (WIDTH - LABEL) * (year - first) / (last - first);
  const height = AXIS + ROW * rows.length;
  return svg("svg", {
    viewBox: `0 0 ${WIDTH} ${height}`, role: "img", class: "drawing",
    "aria-label": `Timeline of ${entity}: ${rows.length} facts from ${first + 1} on; the table has them all`,
  },
  ticks(first, last).map((year) => svg("g", { class: "tick" },
    svg("line", { x1: x(year), x2: x(year), y1: AXIS - 6, y2: height }),
    svg("text", { x: x(year), y: 12 }, String(year)))),
  rows.map((fact, nth) => row(entity, fact, AXIS + ROW * nth, x, [first, last], at)),
  svg("line", { class: "at", x1: x(at), x2: x(at), y1: AXIS - 8, y2: height }));
}

function row(entity, fact, y, x, [first, last], at) {
  const from = yearOf(fact.valid_from) ?? first;
  const to = yearOf(fact.valid_to) ?? last;
  const holds = from <= at && at < to;
  const said = fact.subject === entity
    ? `${fact.relation}: ${fact.object}` : `${fact.relation} of ${fact.subject}`;
  return svg("g", { class: holds ? "row holds" : "row" },
    svg("title", {}, `${fact.subject} · ${fact.relation} · ${fact.object}, ${interval(fact)}`),
    svg("text", { x: 0, y: y + 17 }, brief(said)),
    svg("rect", { x: x(from), y: y + 5, width: Math.max(x(to) - x(from), 3), height: ROW - 10, rx: 4 }));
}

function table(rows, act) {
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Facts" }, el("table", {},
    el("thead", {}, el("tr", {}, ["Subject", "Relation", "Object", "Valid", "Source", "Do"].map((title) =>
      el("th", { scope: "col" }, title)))),
    el("tbody", {}, rows.map((fact) => el("tr", {},
      el("td", {}, button(fact.subject, () => act.show(fact.subject), { class: "link" })),
      el("td", {}, fact.relation),
      el("td", {}, button(fact.object, () => act.show(fact.object), { class: "link" })),
      el("td", {}, interval(fact)),
      el("td", {}, sourceOf(fact) ?? ""),
      el("td", {}, el("div", { class: "deeds" }, button("Change", () => act.edit(fact), {
        class: "link", "aria-label": `Change ${fact.subject}, ${fact.relation}, ${fact.object}`,
      }), endings(fact))))))));
}

function ticks(first, last) {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000].find((each) => (last - first) / each <= 10)
    ?? last - first;
  const found = [];
  for (let year = Math.ceil((first + 0.5) / step) * step; year < last; year += step) found.push(year);
  return found;
}

const brief = (text) => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);

function byRelationAndStart(a, b) {
  return a.relation.localeCompare(b.relation)
    || (yearOf(a.valid_from) ?? -Infinity) - (yearOf(b.valid_from) ?? -Infinity) || 0;
}
