"""Receipts that the Neo4j store keeps under their idempotency keys."""

from __future__ import annotations

import json

from graph.idempotency import KeptReceipt
from graph.neo4j_connection import Run


def read_receipt(run: Run, graph: str, key: str) -> KeptReceipt | None:
    """The receipt kept under a key."""
    rows = run(
        """MATCH (r:Receipt {graph: $graph, key: $key})
           RETURN r.fingerprint AS fingerprint, r.revision AS revision, r.committed AS committed,
               r.items AS items, r.kept_at AS kept_at""",
        graph=graph,
        key=key,
    )
    if not rows:
        return None
    items = tuple(
        (outcome, fact_id, version, tuple(superseded))
        for outcome, fact_id, version, superseded in json.loads(rows[0].pop("items"))
    )
    return KeptReceipt(items=items, **rows[0])


def write_receipt(run: Run, graph: str, key: str, kept: KeptReceipt, forgotten_since: int) -> None:
    """Keep a receipt under its key, and forget those that were kept until ``forgotten_since``."""
    run(
        "MATCH (r:Receipt) WHERE r.graph = $graph AND r.kept_at <= $until DELETE r",
        graph=graph,
        until=forgotten_since,
    )
    run(
        """CREATE (:Receipt {graph: $graph, key: $key, fingerprint: $fingerprint,
               revision: $revision, committed: $committed, items: $items, kept_at: $kept_at})""",
        graph=graph,
        key=key,
        fingerprint=kept.fingerprint,
        revision=kept.revision,
        committed=kept.committed,
        items=json.dumps(kept.items),
        kept_at=kept.kept_at,
    )
