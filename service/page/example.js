/* The example graph, loaded through the same routes that anyone has. */

import { idempotencyKey, inGraph, request, send } from "./api.js";

/** Write the example into `graph`; `progress(done, all)` hears how far it is. Twice does no harm. */
export async function loadExample(graph, progress) {
  const text = await (await request("/page/example.jsonl")).text();
  const records = text.trim().split("\n").map((line) => JSON.parse(line));
  const relations = records.filter((record) => record.cardinality);
  const facts = records.filter((record) => record.subject);
  for (const [nth, { relation, ...settings }] of relations.entries()) {
    progress(nth, relations.length + 1);
    await send("PUT", inGraph(graph, "relations", relation), settings);
  }
  progress(relations.length, relations.length + 1);
  await send("POST", inGraph(graph, "facts"), { facts }, { headers: { "Idempotency-Key": idempotencyKey() } });
}
