/* An entity: found by name or meaning, shown as a timeline and as the graph around it. */

import { get, inGraph, send } from "./api.js";
import { byId, el, settled, suggest } from "./dom.js";
import { network } from "./network.js";
import { problemPanel } from "./problems.js";
import { change, state } from "./state.js";
import { timeline } from "./timeline.js";
import { today } from "./words.js";

const FACTS = 200;
const SUGGESTED = 20;
const FEW = 60;
const MOST = 300;

let edit;
let named = "";
let latest = 0;
let arriving = false;
let nodes = FEW;

/** Wire the search. `act.edit(fact)` takes a fact into the form. */
export function startEntity(act) {
  edit = act.edit;
  byId("find").addEventListener("submit", (event) => {
    event.preventDefault();
    find(byId("entity").value.trim());
  });
  byId("entity").addEventListener("input", settled(async () => {
    try {
      suggest(byId("entities"), await names(byId("entity").value.trim()));
    } catch { /* suggestions are a comfort: without them one types */ }
  }));
}

/** Names with this text in them, likest first; where there are none, names of what it may mean. */
export async function names(text) {
  if (!text) return [];
  const { graph } = state();
  const { entities } = await get(inGraph(graph, "entities"), { text, limit: SUGGESTED });
  if (entities.length) return entities.sort((a, b) => likeness(b, text) - likeness(a, text));
  const { results } = await send("POST", inGraph(graph, "search"), { text, limit: SUGGESTED });
  return [...new Set(results.flatMap(({ subject, object }) => [subject, object]))];
}

/** Go to an entity: the address says so, and whoever hears of that draws it. */
export function show(entity) {
  arriving = true;
  nodes = FEW;
  if (entity === state().entity) showEntity();
  else change({ entity }, { push: true });
}

/** Draw the entity of the state anew, as of the state's time. */
export async function showEntity() {
  const scroll = arriving;
  arriving = false;
  const { graph, entity, as_of: asOf } = state();
  const view = byId("entity-view");
  if (entity !== named) byId("entity").value = named = entity; // else leave what is being typed
  const mine = ++latest;
  if (!entity) {
    view.replaceChildren(el("p", { class: "hint" }, "Name an entity to see what is known of it, and when."));
    return;
  }
  try {
    const facts = inGraph(graph, "facts");
    const [out, into, layout] = await Promise.all([
      get(facts, { subject: entity, limit: FACTS }),
      get(facts, { object: entity, limit: FACTS }),
      get(inGraph(graph, "layout"), { entity, as_of: asOf || today(), hops: 2, limit: nodes }),
    ]);
    if (mine !== latest) return;
    const held = document.activeElement?.dataset.name;
    const known = [...out.facts, ...into.facts.filter((fact) => fact.subject !== fact.object)];
    view.replaceChildren(el("div", {},
      el("h3", { tabindex: -1 }, layout.entity),
      timeline(layout.entity, known.filter(holdsAtAll), asOf, { show, edit }),
      out.next_cursor || into.next_cursor
        ? el("p", { class: "hint" }, `Only its first ${FACTS} facts each way are drawn.`) : null,
      network(layout, asOf, show, nodes < MOST ? drawMore : null)));
    if (held && !scroll) view.querySelector(`[data-name="${CSS.escape(held)}"]`)?.focus();
    if (scroll) {
      view.scrollIntoView({ block: "start" });
      view.querySelector("h3").focus();
    }
  } catch (error) {
    if (mine === latest) view.replaceChildren(problemPanel(error, showEntity));
  }
}

function drawMore() {
  nodes = MOST;
  showEntity();
}

async function find(text) {
  if (!text) return change({ entity: "" });
  try {
    const found = await get(inGraph(state().graph, "facts"), { subject: text, limit: 1 });
    if (found.facts.length) return show(found.facts[0].subject);
    const [nearest] = await names(text);
    return show(nearest ?? text);
  } catch {
    return show(text);
  }
}

const holdsAtAll = ({ status, valid_from: from, valid_to: to }) =>
  status !== "retracted" && (from === null || from !== to);

function likeness(name, text) {
  const [a, b] = [name.toLowerCase(), text.toLowerCase()];
  return a === b ? 3 : a.startsWith(b) ? 2 : a.includes(b) ? 1 : 0;
}
