/* The live feed: every commit as it happens. What was missed while away is made up for. */

import { inGraph } from "./api.js";
import { button, byId, el } from "./dom.js";
import { wasStopped } from "./problems.js";
import { state } from "./state.js";
import { events } from "./stream.js";
import { interval } from "./words.js";

const KEPT = 40;
const SHOWN = 3;
const RECENT = 10;
const LONGEST_WAIT = 15;

let following = null;
let last = null;
let paused = false;
let heard;
let show;

/** Wire the feed. `onCommit(commit)` hears of every one; `act.show(entity)` opens one. */
export function startFeed({ onCommit, act }) {
  heard = onCommit;
  show = act.show;
  byId("feed-pause").addEventListener("click", () => {
    paused = !paused;
    byId("feed-pause").setAttribute("aria-pressed", paused);
    resume();
  });
  // A browser grants one service few connections: a page out of sight gives its own back.
  document.addEventListener("visibilitychange", resume);
}

/** Follow the graph of the state from a little before `revision` on. */
export function follow(revision) {
  last = Math.max(0, revision - RECENT);
  byId("feed").replaceChildren();
  resume();
}

async function resume() {
  following?.abort();
  if (last === null) return;
  if (paused || document.hidden) {
    say("paused; what is missed comes when it goes on");
    return;
  }
  const mine = following = new AbortController();
  for (let wait = 1; !mine.signal.aborted; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    try {
      say("live");
      const path = `${inGraph(state().graph, "changes")}?since=${last}`;
      for await (const { event, data } of events(path, { lastEventId: last, signal: mine.signal })) {
        if (event === "error") throw new Error(JSON.parse(data).detail);
        take(JSON.parse(data));
        wait = 1;
      }
    } catch (error) {
      if (wasStopped(error) || mine.signal.aborted) return;
      say(`${error.message} It is tried again in ${wait} s.`);
      if (error.problem?.code === "revision_unknown") last = 0; // the graph was replaced
    }
    await new Promise((done) => setTimeout(done, 1000 * wait));
  }
}

function take(commit) {
  last = commit.revision;
  const list = byId("feed");
  list.prepend(entry(commit));
  while (list.children.length > KEPT) list.lastChild.remove();
  heard(commit);
}

function entry({ revision, recorded_at: at, changes }) {
  const rest = changes.length - SHOWN;
  return el("li", {},
    el("p", { class: "hint" }, `revision ${revision} · `, el("time", { datetime: at }, clock(at))),
    changes.slice(0, SHOWN).map(changeLine),
    rest > 0 ? el("p", { class: "hint" }, `and ${rest} more`) : null);
}

function changeLine(change) {
  const { kind, fact_id: id, before, after, relation, entity, aliases, target } = change;
  const fact = after ?? before;
  const verb = el("span", { class: `verb ${kind}` }, kind);
  if (fact) {
    return el("p", {}, verb,
      button(fact.subject, () => show(fact.subject), { class: "link" }),
      ` ${fact.relation} ${fact.object} `, el("span", { class: "hint" }, interval(fact)));
  }
  if (relation) return el("p", {}, verb, `${relation.name}: ${relation.cardinality}`);
  if (target) return el("p", {}, verb, `${entity} is ${target}`);
  return el("p", {}, verb, entity ? `${entity}: ${aliases.join(", ")}` : id);
}

const clock = (at) => new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

function say(text) {
  const line = byId("feed-state");
  if (line.textContent !== text) line.textContent = text;
}
