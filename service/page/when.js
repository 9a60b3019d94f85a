/* The as-of slider: one step a year, and its right end is now. */

import { byId } from "./dom.js";
import { change, state } from "./state.js";
import { yearOf } from "./words.js";

const FEWEST_YEARS = 30;
const MOST_YEARS = 250;

/** Let the slider and the date beside it set `as_of`; `chosen` is called when one of them did. */
export function startWhen(chosen) {
  const slider = byId("when");
  const date = byId("when-date");
  slider.addEventListener("input", () => {
    date.value = isNow(slider) ? "" : slider.value;
    tell(slider, date.value);
  });
  slider.addEventListener("change", () => set(date.value, chosen));
  date.addEventListener("change", () => set(date.value.trim(), chosen));
  spanYears([]);
}

/** Let the slider begin where the earliest of these facts does, within reason. */
export function spanYears(facts) {
  const slider = byId("when");
  const thisYear = new Date().getUTCFullYear();
  const starts = facts.map((fact) => yearOf(fact.valid_from)).filter((year) => year !== null);
  const earliest = Math.floor(Math.min(thisYear - FEWEST_YEARS, ...starts));
  slider.min = Math.max(earliest, thisYear - MOST_YEARS);
  slider.max = thisYear + 1;
  showWhen();
}

/** Show what the state says. */
export function showWhen() {
  const slider = byId("when");
  const date = byId("when-date");
  const { as_of: asOf } = state();
  date.value = asOf;
  const year = yearOf(asOf);
  slider.value = year === null ? slider.max : Math.min(Math.floor(year), slider.max - 1);
  tell(slider, asOf);
}

const isNow = (slider) => slider.value === slider.max;

function set(asOf, chosen) {
  change({ as_of: asOf });
  showWhen();
  chosen();
}

function tell(slider, asOf) {
  slider.setAttribute("aria-valuetext", asOf || "now");
  byId("when-hint").textContent = asOf
    ? `Asked as of ${asOf}, whatever date the question names.`
    : "The date that the question names, else now.";
}
