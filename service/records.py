"""How what the store says is written: each record is the JSON of the model in ``service.replies``
that it names.

Replies are written straight from the store's records, in the worker thread that read them, because
validating our own output would cost more than a durable write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fastapi import Response

from dysk.answer import Evidence
from graph.fact import Fact, Relation
from graph.store import Change, Commit, ItemResult, Receipt
from service.jobs import Job
from service.keys import Key


def json_reply(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """``content`` as a JSON response."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(body, status, dict(headers or {}), media_type="application/json")


def fact_record(fact: Fact) -> dict[str, Any]:
    """A FactOut."""
    return {
        "id": fact.id,
        "subject": fact.subject,
        "relation": fact.relation,
        "object": fact.object,
        "valid_from": fact.valid_from,
        "valid_to": fact.valid_to,
        "recorded_at": fact.recorded_at,
        "revision": fact.revision,
        "status": fact.status,
        "source": fact.source,
        "external_id": fact.external_id,
        "supersedes": fact.supersedes,
        "superseded_by": fact.superseded_by,
        "attributes": dict(fact.attributes),
    }


def receipt_record(receipt: Receipt) -> dict[str, Any]:
    """A ReceiptOut."""
    return {
        "revision": receipt.revision,
        "items": [_item_record(item) for item in receipt.items],
        "changes": [_change_record(change) for change in receipt.changes],
        "dry_run": receipt.dry_run,
        "replayed": receipt.replayed,
    }


def relation_receipt_record(receipt: Receipt, relation: Relation) -> dict[str, Any]:
    """A RelationReceipt."""
    return {
        "revision": receipt.revision,
        "relation": asdict(relation),
        "changes": [_change_record(change) for change in receipt.changes],
    }


def commit_record(commit: Commit) -> dict[str, Any]:
    """A CommitOut."""
    return {
        "revision": commit.revision,
        "recorded_at": commit.recorded_at,
        "changes": [_change_record(change) for change in commit.changes],
    }


def job_record(job: Job) -> dict[str, Any]:
    """A JobOut."""
    record = asdict(job)
    del record["reading"]
    return {"id": record.pop("id"), "kind": "import", **record}


def key_record(key: Key) -> dict[str, Any]:
    """A KeyOut."""
    record = asdict(key)
    del record["digest"]
    return record


def evidence_records(evidence: list[Evidence]) -> list[dict[str, Any]]:
    """A list of EvidenceOut."""
    return [asdict(each) for each in evidence]


def _item_record(item: ItemResult) -> dict[str, Any]:
    return {
        "outcome": item.outcome,
        "fact": None if item.fact is None else fact_record(item.fact),
        "superseded": item.superseded,
    }


def _change_record(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "fact_id": change.fact_id,
        "before": None if change.before is None else fact_record(change.before),
        "after": None if change.after is None else fact_record(change.after),
        "relation": None if change.relation is None else asdict(change.relation),
        "entity": change.entity,
        "aliases": change.aliases,
        "target": change.target,
    }
