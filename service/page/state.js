/* What the page shows is told by its address, so that a view can be sent to someone or come back to. */

export const MODES = ["attention", "rag", "hybrid", "closed_book"];

const listeners = new Set();
let current = read();

/** `{ graph, q, as_of, modes, entity }`; empty strings where nothing is chosen. */
export const state = () => current;

/** Change some of it. Writes the address and tells everyone who listens what changed. */
export function change(part, { push = false } = {}) {
  const before = current;
  current = { ...current, ...part };
  const address = written(current);
  if (address !== location.pathname + location.search) {
    history[push ? "pushState" : "replaceState"](null, "", address);
  }
  tell(before);
}

/** Call `listener(state, before)` after every change. */
export const onChange = (listener) => listeners.add(listener);

addEventListener("popstate", () => {
  const before = current;
  current = read();
  tell(before);
});

function tell(before) {
  for (const listener of listeners) listener(current, before);
}

function read() {
  const given = new URLSearchParams(location.search);
  const modes = (given.get("modes") ?? "").split(",").filter((mode) => MODES.includes(mode));
  return {
    graph: given.get("graph") || "default",
    q: given.get("q") ?? "",
    as_of: given.get("as_of") ?? "",
    modes: modes.length ? modes : ["attention"],
    entity: given.get("entity") ?? "",
  };
}

function written(state) {
  const query = new URLSearchParams();
  if (state.graph !== "default") query.set("graph", state.graph);
  for (const name of ["q", "as_of", "entity"]) if (state[name]) query.set(name, state[name]);
  if (state.modes.join() !== "attention") query.set("modes", state.modes.join());
  const text = query.toString();
  return location.pathname + (text ? `?${text}` : "");
}
