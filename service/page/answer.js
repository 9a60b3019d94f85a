/* One answer as a card: what was said, on what it rests, and where the time went. */

import { button, el, svg } from "./dom.js";
import { endings } from "./endings.js";
import { interval, sourceOf } from "./words.js";

/** What each mode does, in a few words. */
export const MODE_WORDS = {
  attention: "reads facts inside the model",
  rag: "facts pasted into the prompt",
  hybrid: "both at once",
  closed_book: "the model alone",
};

const STATUS_WORDS = { answered: "answered", abstained: "does not know", conflict: "facts disagree" };

/** The name of a mode as people write it. */
export const modeName = (mode) => (mode === "rag" ? "RAG" : mode.replace("_", " "));

/** A card for `mode` while it is being answered. */
export function waitingCard(mode) {
  return card(mode, { "aria-busy": true }, el("p", { class: "waiting" }, "thinking"));
}

/** Add words to a card that waits. */
export function sayMore(waiting, words) {
  const said = waiting.querySelector(".saying") ?? el("p", { class: "saying" });
  waiting.querySelector(".waiting")?.replaceWith(said);
  said.append(words);
}

/** A card for a mode that could not answer: `panel` says why. */
export const failedCard = (mode, panel) => card(mode, {}, panel);

/**
 * A card for `answer`. `before` is what the same question was answered last, shown where it differs.
 * `act.show(entity)` opens an entity, `act.edit(evidence)` takes a fact into the form.
 */
export function answerCard(answer, before, act) {
  const changed = before !== null && before !== answer.answer;
  return card(answer.mode, {},
    changed ? el("p", { class: "before" }, "before: ", el("del", {}, before)) : null,
    el("p", { class: changed ? "said changed" : "said" }, answer.answer),
    el("p", { class: "badges" },
      badge(STATUS_WORDS[answer.status], answer.status),
      answer.grounded === null ? null
        : badge(answer.grounded ? "says what its facts say" : "not what its facts say",
          answer.grounded ? "grounded" : "ungrounded"),
      el("span", { class: "hint" }, `as of ${answer.as_of} · revision ${answer.revision}`)),
    answer.time_interpretation
      ? el("p", { class: "hint" }, `time: ${answer.time_interpretation}`) : null,
    evidenceList(answer, act),
    timings(answer.timings_ms));
}

function card(mode, properties, ...children) {
  return el("article", { class: "card answer", "data-mode": mode, ...properties },
    el("h3", {}, modeName(mode), el("small", {}, MODE_WORDS[mode])), ...children);
}

const badge = (text, kind) => el("span", { class: `badge ${kind}` }, text);

function evidenceList({ evidence, mode }, act) {
  if (!evidence.length) {
    const why = mode === "closed_book" ? "It was asked without facts." : "No fact was near enough.";
    return el("p", { class: "hint" }, why);
  }
  return el("ul", { class: "evidence", "aria-label": "Evidence" }, evidence.map((each) => el("li", {},
    el("p", {}, each.text),
    each.attention === null ? null : attentionBar(each.attention),
    el("p", { class: "hint" }, interval(each), " ", sourceOf(each)),
    el("p", { class: "small" },
      button("Look around", () => act.show(each.subject),
        { class: "link", "aria-label": `Look around ${each.subject}` }),
      button("Change", () => act.edit(each),
        { class: "link", "aria-label": `Change: ${each.text}` }),
      endings(each)))));
}

function attentionBar(share) {
  const percent = Math.round(100 * Math.min(Math.max(share, 0), 1));
  return el("p", { class: "attention" },
    svg("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
      svg("rect", { class: "track", width: 100, height: 6 }),
      svg("rect", { class: "bar", width: percent, height: 6 })),
    el("span", {}, `${percent} % `, el("span", { class: "unseen" }, "of the attention")));
}

function timings(given) {
  const { total = 0, ...stages } = given;
  const spent = Object.entries(stages).filter(([, ms]) => ms > 0);
  const whole = spent.reduce((sum, [, ms]) => sum + ms, 0) || 1;
  let from = 0;
  const bars = spent.map(([name, ms], nth) => {
    const width = 100 * ms / whole;
    const bar = svg("rect", { class: `stage-${nth % 6}`, x: from, width, height: 6 },
      svg("title", {}, `${name} ${rounded(ms)}`));
    from += width;
    return bar;
  });
  return el("details", { class: "timings" },
    el("summary", {}, `${rounded(total)} in all`),
    svg("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" }, bars),
    el("dl", {}, spent.map(([name, ms], nth) => el("div", {},
      el("dt", {}, el("span", { class: `dot stage-${nth % 6}`, "aria-hidden": "true" }), name),
      el("dd", {}, rounded(ms))))));
}

const rounded = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`);
