/* Ask a question by one mode or several side by side, and again when time or graph have moved on. */

import { answerCard, failedCard, MODE_WORDS, modeName, sayMore, waitingCard } from "./answer.js";
import { inGraph, Refusal } from "./api.js";
import { button, byId, el } from "./dom.js";
import { problemPanel, wasStopped } from "./problems.js";
import { change, MODES, state } from "./state.js";
import { events } from "./stream.js";

const EXAMPLES = [
  ["What is the tallest building in the world?", ""],
  ["Who is the head of government of New Zealand?", "2022-06"],
  ["What was the capital of Kazakhstan in 2020?", ""],
];

let running = null;
let shown = null;
const lastSaid = new Map();
let acts;

/** Wire the form. `act` is what an answer's evidence can do: `show(entity)`, `edit(evidence)`. */
export function startAsk(act) {
  acts = act;
  byId("modes").append(...MODES.map(modeChoice));
  byId("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    askTyped({ push: true });
  });
}

/** Ask what stands in the question's field, sent or not. */
export function askTyped(options) {
  change({ q: byId("question").value.trim() }, options);
  ask();
}

/** Show what the state says in the form. */
export function showQuestion() {
  byId("question").value = state().q;
  for (const box of byId("modes").querySelectorAll("input")) {
    box.checked = state().modes.includes(box.value);
  }
}

/** Questions that the example graph answers, to begin with. */
export function offerExamples(offered) {
  byId("examples").hidden = !offered;
  byId("examples").replaceChildren("Try: ", ...EXAMPLES.map(([question, asOf]) =>
    button(asOf ? `${question} (as of ${asOf})` : question, () => {
      change({ q: question, as_of: asOf }, { push: true });
      ask();
    }, { class: "link" })));
}

/** Forget the answers: they are those of another graph. */
export function clearAnswers() {
  running?.abort();
  lastSaid.clear();
  shown = null;
  byId("answers").replaceChildren();
  byId("stale").replaceChildren();
}

/**
 * Ask what the state says, mode after mode since they share one model; the first answer does not wait
 * for the others. `minRevision`: from no earlier state of the graph than this.
 */
export async function ask({ minRevision = null } = {}) {
  running?.abort();
  const { graph, q, as_of: asOf, modes } = state();
  if (!q) return;
  const mine = running = new AbortController();
  const body = { question: q, ...(asOf && { as_of: asOf }), ...(minRevision && { min_revision: minRevision }) };
  const cards = modes.map(waitingCard);
  byId("answers").replaceChildren(...cards);
  byId("stale").replaceChildren();
  byId("answers-said").textContent = "Asking";
  const said = [];
  for (const [nth, mode] of modes.entries()) {
    try {
      const answer = await told(graph, { ...body, mode }, cards[nth], mine.signal);
      cards[nth].replaceWith(answerCard(answer, before(answer, body), acts));
      remember(answer, body);
      said.push(`${modeName(mode)}: ${answer.answer}`);
    } catch (error) {
      if (wasStopped(error)) return;
      cards[nth].replaceWith(failedCard(mode, problemPanel(error, () => ask({ minRevision }))));
    }
  }
  byId("answers-said").textContent = said.join(". ");
}

/** The whole answer, its words shown on `card` as they come. */
async function told(graph, body, card, signal) {
  for await (const { event, data } of events(inGraph(graph, "ask"), { body, signal })) {
    const record = JSON.parse(data);
    if (event === "token") sayMore(card, record.text);
    if (event === "done") return record;
    if (event === "error") throw new Refusal(record);
  }
  throw new Refusal({
    code: "unreachable",
    title: "The answer broke off",
    detail: "The service ended before its answer did. Try again.",
  });
}

/** Tell that the graph went on to `revision` since the answers shown were given. */
export function graphMoved(revision) {
  if (shown === null || revision <= shown) return;
  byId("stale").replaceChildren(`The graph has changed since (revision ${revision}). `,
    button("Ask again", () => ask({ minRevision: revision }), { class: "link" }));
}

const identity = ({ mode }, { question, as_of: asOf }) => JSON.stringify([mode, question, asOf ?? ""]);
const before = (answer, body) => lastSaid.get(identity(answer, body)) ?? null;

function remember(answer, body) {
  lastSaid.set(identity(answer, body), answer.answer);
  shown = answer.revision;
}

function modeChoice(mode) {
  const box = el("input", { type: "checkbox", value: mode, onchange: () => {
    const chosen = MODES.filter((each) =>
      byId("modes").querySelector(`input[value="${each}"]`).checked);
    change({ q: byId("question").value.trim(), modes: chosen.length ? chosen : ["attention"] });
    ask();
  } });
  return el("label", { class: "choice" }, box,
    el("span", {}, modeName(mode), el("small", {}, MODE_WORDS[mode])));
}
