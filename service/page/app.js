/* Where the parts meet. Each knows its own place on the page and nothing of the others. */

import { get, inGraph } from "./api.js";
import { ask, askTyped, clearAnswers, graphMoved, offerExamples, showQuestion, startAsk } from "./ask.js";
import { byId, settled } from "./dom.js";
import { startEndings } from "./endings.js";
import { names, show, showEntity, startEntity } from "./entity.js";
import { loadExample } from "./example.js";
import { follow, startFeed } from "./feed.js";
import { startFigures } from "./figures.js";
import { problemPanel } from "./problems.js";
import { change, onChange, state } from "./state.js";
import { graphIs, readGraph, startSystem, watchReadiness } from "./system.js";
import { startTheme } from "./theme.js";
import { edit, startUpdate } from "./update.js";
import { showWhen, spanYears, startWhen } from "./when.js";

const SAMPLE = 200;
const EXAMPLE_ID = "world:";

let opened = 0;

startTheme(byId("theme"));
startAsk({ show, edit });
startWhen(askTyped);
startUpdate({ whenWritten: (revision) => ask({ minRevision: revision }), names });
startEndings({ whenDone: ended });
startEntity({ edit });
startSystem({ chooseGraph: (graph) => change({ graph, entity: "" }, { push: true }), retry: open });
startFeed({ onCommit: commitHeard, act: { show } });
startFigures();
byId("load-example").addEventListener("click", load);

onChange((now, before) => {
  if (now.graph !== before.graph) {
    showQuestion();
    return open();
  }
  if (now.q !== before.q || now.modes !== before.modes) showQuestion();
  if (now.as_of !== before.as_of) showWhen();
  if (now.as_of !== before.as_of || now.entity !== before.entity) showEntity();
});
addEventListener("popstate", () => ask());

showQuestion();
open();
watchReadiness();

/** Take up the graph of the state: how large it is, what is in it, and what happens to it. */
async function open() {
  clearAnswers();
  byId("load-problem").replaceChildren();
  try {
    const { revision, facts } = await readGraph();
    opened = revision;
    byId("welcome").hidden = facts > 0;
    await lookInto();
    follow(revision);
    showEntity();
    ask();
  } catch (error) {
    byId("answers").replaceChildren(problemPanel(error, open));
  }
}

async function lookInto() {
  const { facts } = await get(inGraph(state().graph, "facts"), { limit: SAMPLE });
  spanYears(facts);
  offerExamples(facts.some((fact) => fact.id.startsWith(EXAMPLE_ID)));
}

async function load() {
  const bar = byId("load-progress");
  bar.hidden = false;
  byId("load-example").disabled = true;
  try {
    await loadExample(state().graph, (done, all) => Object.assign(bar, { value: done, max: all }));
    await lookInto();
    byId("question").focus();
  } catch (error) {
    byId("load-problem").replaceChildren(problemPanel(error, load));
  } finally {
    bar.hidden = true;
    byId("load-example").disabled = false;
  }
}

function ended(revision, way) {
  if (way === "erase") {
    // What the page remembers of it goes too.
    clearAnswers();
    follow(revision);
  }
  ask({ minRevision: revision });
}

function commitHeard({ revision }) {
  if (revision <= opened) return; // told of at the beginning, and shown already
  graphIs({ revision });
  graphMoved(revision);
  afterCommits();
}

const afterCommits = settled(async () => {
  try {
    const { facts } = await readGraph();
    byId("welcome").hidden = facts > 0;
  } catch { /* the feed itself says what is wrong */ }
  if (state().entity) showEntity();
});
