/* Change a fact in two steps: see what it would do, then do exactly that. */

import { get, idempotencyKey, inGraph, send } from "./api.js";
import { button, byId, el, settled, suggest } from "./dom.js";
import { problemPanel } from "./problems.js";
import { state } from "./state.js";
import { interval, today, triple } from "./words.js";

const FIELDS = ["subject", "relation", "object", "valid_from", "valid_to", "source"];

let written;
let findNames;

/** Wire the form. `whenWritten(revision)` follows a write; `names(text)` finds entities. */
export function startUpdate({ whenWritten, names }) {
  written = whenWritten;
  findNames = names;
  const form = byId("update");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    plan();
  });
  form.addEventListener("input", () => {
    byId("plan").replaceChildren();
    mark([]);
  });
  form.elements.subject.addEventListener("input", settled(suggestAround));
}

/** Take a fact into the form, for its successor to be written. */
export function edit({ subject, relation }) {
  const form = byId("update");
  Object.assign(form.elements.subject, { value: subject });
  Object.assign(form.elements.relation, { value: relation });
  Object.assign(form.elements.valid_from, { value: today() });
  for (const name of ["object", "valid_to", "source"]) form.elements[name].value = "";
  byId("plan").replaceChildren();
  form.scrollIntoView({ block: "center" });
  form.elements.object.focus();
}

/** Ask for the receipt that this change would have, and offer to make it. */
async function plan() {
  const body = bodyOf(byId("update"));
  const { graph } = state();
  try {
    const receipt = await send("POST", inGraph(graph, "facts"), { ...body, dry_run: true });
    const [item] = receipt.items;
    const ended = await Promise.all(item.superseded.map((id) => get(inGraph(graph, "facts", id))));
    showPlan(planPanel(graph, body, receipt, item, ended));
  } catch (error) {
    mark(error.problem?.errors ?? []);
    showPlan(problemPanel(error, plan));
  }
}

function planPanel(graph, body, receipt, item, ended) {
  if (item.outcome === "unchanged") {
    return panel("Nothing to do", el("p", {}, "This is stored already: ", triple(item.fact)));
  }
  // The write is refused if anything was written since: what was shown is what happens.
  const headers = { "If-Match": `"${receipt.revision}"`, "Idempotency-Key": idempotencyKey() };
  return panel(`What this would do, on revision ${receipt.revision}`,
    el("ul", { class: "effects" },
      el("li", { class: "adds" }, el("span", { class: "verb" }, "adds"), triple(item.fact), " ",
        el("span", { class: "hint" }, interval(item.fact))),
      ended.map((fact) => el("li", { class: "ends" }, el("span", { class: "verb" }, "ends"), triple(fact), " ",
        el("span", { class: "hint" },
          el("del", {}, interval(fact)), ` → ${interval({ ...fact, valid_to: item.fact.valid_from })}`)))),
    ended.length ? null : el("p", { class: "hint" }, "Nothing that holds already is ended by it."),
    el("div", { class: "actions" },
      button("Write it", () => write(graph, body, headers), { class: "primary" }),
      button("Leave it", () => byId("plan").replaceChildren())));
}

async function write(graph, body, headers) {
  try {
    const receipt = await send("POST", inGraph(graph, "facts"), body, { headers });
    const text = `Written: the graph is at revision ${receipt.revision}.`;
    byId("plan").replaceChildren(el("p", { class: "card done" }, text));
    byId("update-said").textContent = text;
    written(receipt.revision);
  } catch (error) {
    const again = error.problem?.code === "unreachable" ? () => write(graph, body, headers) : plan;
    showPlan(problemPanel(error, again));
  }
}

/** Mark the fields that the errors point at, and no others. */
function mark(errors) {
  for (const name of FIELDS) {
    const wrong = errors.some(({ pointer }) => pointer === `/facts/0/${name}`);
    byId("update").elements[name].setAttribute("aria-invalid", wrong);
  }
}

function showPlan(shown) {
  byId("plan").replaceChildren(shown);
  shown.tabIndex = -1;
  shown.focus();
}

const panel = (title, ...children) =>
  el("section", { class: "card plan", "aria-label": title }, el("h3", {}, title), ...children);

function bodyOf(form) {
  const given = FIELDS.map((name) => [name, form.elements[name].value.trim()]);
  const fact = Object.fromEntries(given.filter(([, value]) => value));
  const onConflict = form.elements.on_conflict.value;
  return { facts: [fact], ...(onConflict && { on_conflict: onConflict }) };
}

async function suggestAround() {
  const subject = byId("update").elements.subject.value.trim();
  if (!subject) return;
  try {
    const { graph } = state();
    const [names, known] = await Promise.all([
      findNames(subject), get(inGraph(graph, "facts"), { subject, limit: 100 }),
    ]);
    suggest(byId("update-subjects"), names);
    suggest(byId("update-relations"), known.facts.map((fact) => fact.relation));
  } catch { /* suggestions are a comfort: without them one types */ }
}
