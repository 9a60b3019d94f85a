/* The service itself: which graphs it has, whether it can answer, the key it may want. */

import { get, inGraph, useKey } from "./api.js";
import { byId, el } from "./dom.js";
import { state } from "./state.js";

const WHILE_LOADING = 2000;
const WHEN_SETTLED = 30000;

let size = null;
let readiness = { kind: "loading", text: "connecting" };
let timer;

/** Wire the header. `chooseGraph(name)` follows a choice, `retry()` a new key. */
export function startSystem({ chooseGraph, retry }) {
  byId("graph").addEventListener("change", (event) => chooseGraph(event.target.value));
  byId("key-open").addEventListener("click", () => byId("key-dialog").showModal());
  byId("key-dialog").addEventListener("close", () => {
    if (byId("key-dialog").returnValue !== "save") return;
    useKey(byId("key").value.trim());
    retry();
  });
}

/** Read the list of graphs, and the size of the one chosen. Gives `{ revision, facts }`. */
export async function readGraph() {
  const { graph } = state();
  const [list, found] = await Promise.all([get("/v1/graphs"), get(inGraph(graph))]);
  byId("graph").replaceChildren(...list.graphs.map((name) =>
    el("option", { value: name, selected: name === graph }, name)));
  graphIs(found);
  return found;
}

/** Show the revision and the number of facts; either may be left out. */
export function graphIs(found) {
  size = { ...size, ...found };
  show();
}

/** Ask whether the service is ready, now and then: often while it is not. */
export async function watchReadiness() {
  clearTimeout(timer);
  try {
    await get("/ready");
    readiness = { kind: "ready", text: "ready" };
  } catch ({ problem }) {
    const loading = Object.values(problem?.parts ?? {}).some((part) => part === "loading");
    readiness = loading
      ? { kind: "loading", text: "models are loading; facts can be written already" }
      : { kind: "failing", text: problem?.detail ?? "no answer" };
  }
  show();
  timer = setTimeout(watchReadiness, readiness.kind === "ready" ? WHEN_SETTLED : WHILE_LOADING);
}

function show() {
  const facts = size === null ? "" : ` · revision ${size.revision} · ${size.facts} facts`;
  const text = readiness.text + facts;
  const line = byId("state");
  line.className = `state ${readiness.kind}`;
  if (line.textContent !== text) line.textContent = text;
}
