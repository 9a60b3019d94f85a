/* The service at a glance: its parts, and a few of its metrics, read while someone looks. */

import { get, request } from "./api.js";
import { byId, el } from "./dom.js";
import { state } from "./state.js";

const EVERY = 5000;
const NAMED = /^(\w+)(?:\{(.*)\})? (\S+)$/;
const SHOWN = [
  ["dysk_asks_waiting", "asks that wait", String],
  ["dysk_index_lag_revisions", "revisions not yet in the index", String],
  ["dysk_fact_memory_blocks", "facts that the model has read", String],
  ["process_resident_memory_bytes", "memory", (bytes) => `${Math.round(bytes / 2 ** 20)} MiB`],
];

let timer;

/** Read them when the section is opened, and on while it is open. */
export function startFigures() {
  byId("system").addEventListener("toggle", look);
}

async function look() {
  clearTimeout(timer);
  if (!byId("system").open) return;
  const [parts, found] = await Promise.all([partsNow(), figuresNow()]);
  byId("figures").replaceChildren(...[...Object.entries(parts), ...found].map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  timer = setTimeout(look, EVERY);
}

async function partsNow() {
  try {
    return (await get("/ready")).parts;
  } catch ({ problem }) {
    return problem?.parts ?? { service: problem?.detail ?? "no answer" };
  }
}

/** Pairs of a name and a value; none where the key is not for metrics. */
async function figuresNow() {
  try {
    const lines = (await (await request("/metrics")).text()).split("\n").map((line) => NAMED.exec(line));
    const here = `graph=${JSON.stringify(state().graph)}`;
    return SHOWN.flatMap(([metric, said, written]) => {
      const line = lines.find((each) => each?.[1] === metric && [undefined, here].includes(each[2]));
      return line ? [[said, written(Number(line[3]))]] : [];
    });
  } catch {
    return [];
  }
}
