/* Server-sent events over fetch, because EventSource can send neither a key nor a Last-Event-ID. */

import { request } from "./api.js";

/**
 * Yield `{ id, event, data }` for each event of `path` until it ends; comments are passed over. With a
 * `body` it is posted as JSON.
 */
export async function* events(path, { lastEventId = null, body = null, signal }) {
  const headers = { Accept: "text/event-stream" };
  if (lastEventId !== null) headers["Last-Event-ID"] = String(lastEventId);
  const sent = body === null ? {} : { method: "POST", body: JSON.stringify(body) };
  if (body !== null) headers["Content-Type"] = "application/json";
  const response = await request(path, { headers, signal, ...sent });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = parsed(block);
      if (event.data !== null) yield event;
    }
  }
}

function parsed(block) {
  const found = { id: null, event: "message", data: null };
  for (const line of block.split("\n")) {
    const [name, ...rest] = line.split(": ");
    const value = rest.join(": ");
    if (name === "data") found.data = found.data === null ? value : `${found.data}\n${value}`;
    else if (name in found) found[name] = value;
  }
  return found;
}
