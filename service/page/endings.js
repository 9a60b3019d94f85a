/* What else can become of a fact: it ended, it never was, it has to go. Each is asked about once more. */

import { get, inGraph, remove, send } from "./api.js";
import { button, byId, el } from "./dom.js";
import { problemPanel } from "./problems.js";
import { state } from "./state.js";
import { interval, today, triple } from "./words.js";

const ERASE = "erase";

const WAYS = {
  end: {
    title: "End this fact",
    says: "It was true until this day, and no longer from then on.",
    field: () => el("label", {}, "Not true from ",
      el("input", { name: "at", value: today(), autocomplete: "off", required: true })),
    act: (path, revision, form) => send("POST", `${path}/end`,
      { at: form.elements.at.value.trim() }, { headers: { "If-Match": `"${revision}"` } }),
  },
  retract: {
    title: "Retract this fact",
    says: "It was never true. That it was once believed can still be looked up.",
    act: (path, revision) =>
      remove(path, { mode: "retract" }, { headers: { "If-Match": `"${revision}"` } }),
  },
  erase: {
    title: "Erase this fact",
    says: "Every byte of it goes, its past included. Nothing brings it back.",
    field: () => el("label", {}, `Write “${ERASE}” to confirm `,
      el("input", { name: "sure", pattern: ERASE, autocomplete: "off", required: true })),
    act: (path) => remove(path, { mode: "erase" }),
  },
};

let done;

/** Wire the dialog. `whenDone(revision, way)` follows what was done. */
export function startEndings({ whenDone }) {
  done = whenDone;
}

/** Buttons that end, retract and erase a fact: one of a listing, or an answer's evidence. */
export function endings(fact) {
  const named = `${fact.subject}, ${fact.relation}, ${fact.object}`;
  return Object.keys(WAYS).map((way) =>
    button(capital(way), () => open(way, fact.fact_id ?? fact.id),
      { class: "link", "aria-label": `${capital(way)}: ${named}` }));
}

/** Show the fact as it is now, and offer to do it. */
async function open(way, id) {
  const [dialog, body] = [byId("ending"), byId("ending-body")];
  const { title, says, field } = WAYS[way];
  try {
    const fact = await get(inGraph(state().graph, "facts", id));
    const problem = el("div", {});
    const form = el("form", {
      onsubmit: (event) => {
        event.preventDefault();
        act(way, id, fact.revision, form, problem);
      },
    },
    el("p", {}, triple(fact), " ", el("span", { class: "hint" }, interval(fact))),
    el("p", {}, says),
    field ? field() : null,
    problem,
    el("div", { class: "actions" },
      button("Leave it", () => dialog.close()),
      el("button", { type: "submit", class: "primary" }, capital(way))));
    body.replaceChildren(form);
  } catch (error) {
    body.replaceChildren(problemPanel(error, () => open(way, id)),
      el("div", { class: "actions" }, button("Leave it", () => dialog.close())));
  }
  byId("ending-title").textContent = title;
  if (!dialog.open) dialog.showModal();
}

async function act(way, id, revision, form, problem) {
  try {
    const receipt = await WAYS[way].act(inGraph(state().graph, "facts", id), revision, form);
    byId("ending").close();
    byId("ending-body").replaceChildren();
    byId("update-said").textContent = `Done: the graph is at revision ${receipt.revision}.`;
    done(receipt.revision, way);
  } catch (error) {
    problem.replaceChildren(problemPanel(error, () => open(way, id)));
  }
}

const capital = (word) => word[0].toUpperCase() + word.slice(1);
