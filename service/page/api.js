/* The service, as its public routes are. What it refuses becomes a Refusal. */

const KEY = "dysk-key";

/** A refusal: the service's problem+json, or one of our own where no answer came. */
export class Refusal extends Error {
  constructor(problem, retryAfter = null) {
    super(problem.detail);
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
}

/** Remember an access key for this tab; empty forgets it. */
export function useKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

/** The path of something in a graph: `inGraph("default", "facts")`. */
export const inGraph = (graph, ...parts) =>
  ["/v1/graphs", ...[graph, ...parts].map(encodeURIComponent)].join("/");

/** GET as JSON. Values of `query` that are null or empty are left out. */
export const get = (path, query = {}, options = {}) =>
  json(path + queryString(query), { ...options, method: "GET" });

/** Send a JSON body and read a JSON reply. */
export function send(method, path, body, { headers = {}, ...options } = {}) {
  const typed = { "Content-Type": "application/json", ...headers };
  return json(path, { ...options, method, headers: typed, body: JSON.stringify(body) });
}

/** DELETE, and read a JSON reply. */
export const remove = (path, query = {}, options = {}) =>
  json(path + queryString(query), { ...options, method: "DELETE" });

/** The response itself, once it is known to be no refusal. */
export async function request(path, { headers = {}, ...options } = {}) {
  const key = sessionStorage.getItem(KEY);
  const signed = key ? { ...headers, Authorization: `Bearer ${key}` } : headers;
  let response;
  try {
    response = await fetch(path, { ...options, headers: signed });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal({
      code: "unreachable",
      title: "The service does not answer",
      detail: "Nothing came back from it. Is dysk serve still running? Start it, then try again.",
    });
  }
  if (!response.ok) throw new Refusal(await problemOf(response), waitOf(response));
  return response;
}

/** A key that makes a repeated write harmless. */
export function idempotencyKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function json(path, options) {
  return (await request(path, options)).json();
}

async function problemOf(response) {
  try {
    const problem = await response.json();
    if (problem.detail) return problem;
  } catch { /* a proxy between us may answer in HTML */ }
  return {
    code: `http_${response.status}`,
    title: `The answer was ${response.status} ${response.statusText}`,
    detail: "It came without a reason, so probably from a proxy in between. Try again.",
  };
}

function waitOf(response) {
  const seconds = Number(response.headers.get("Retry-After"));
  return seconds > 0 ? seconds : null;
}

function queryString(query) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
