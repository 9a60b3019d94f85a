/* A refusal, shown with what it says and a way out of it. */

import { button, el } from "./dom.js";

/**
 * A panel for `error`. `again` is called by "Try again"; refusals that only time mends say how long.
 * Errors of our own making are shown too: nothing fails silently.
 */
export function problemPanel(error, again = null) {
  const problem = error.problem ?? {
    title: "The page stumbled", detail: `${error.message}. Load it anew.`,
  };
  const places = (problem.errors ?? []).filter((each) => each.detail !== problem.detail);
  return el("div", { class: "card problem", role: "alert" },
    el("h3", {}, problem.title),
    el("p", {}, problem.detail),
    places.length ? el("ul", {}, places.map((each) => el("li", {}, placeOf(each)))) : null,
    el("p", { class: "hint" }, wayOut(error)),
    el("div", { class: "actions" },
      again ? button("Try again", again) : null,
      problem.status === 401 || problem.status === 403
        ? button("Enter a key", () => document.getElementById("key-open").click()) : null),
    problem.request_id
      ? el("p", { class: "hint small" }, `${problem.code} · request ${problem.request_id}`) : null);
}

/** Wait, if the caller stopped the request itself; that is no problem to show. */
export const wasStopped = (error) => error.name === "AbortError";

function wayOut({ problem, retryAfter }) {
  if (retryAfter) return `It may work in ${retryAfter} s.`;
  return {
    unreachable: "Answers and changes shown here stay as they are meanwhile.",
    model_unavailable: "Facts can be written and looked at meanwhile; dysk doctor tells what is missing.",
    invalid_time: "Write a year, a month or a day: 2021, 2021-05, 2021-05-03.",
    precondition_failed: "Show the plan again: it will be made anew from what holds now.",
    conflict: "Choose another way to treat what holds already, or give the fact another time.",
  }[problem?.code] ?? "";
}

function placeOf({ pointer, parameter, header, detail }) {
  return `${pointer ?? parameter ?? header}: ${detail}`;
}
