"""What a store keeps of a receipt, so that a repeated request gets the same answer.

Only ids, revisions and a hash of the batch are kept, no text of a fact: an erased fact is gone from
here too, and a replayed receipt shows it as None. So does a version that was compacted.

A key is remembered for KEPT_FOR after its batch, whatever else happens; then it is as good as new.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime, timedelta

from graph.errors import IdempotencyMismatch, NotFound
from graph.fact import Command, Fact
from graph.store import Change, ItemResult, Outcome, Receipt

KeptItem = tuple[Outcome, str | None, int, tuple[str, ...]]
"""Outcome, fact id, revision of the fact's version (0 without a fact), ids superseded."""

KEPT_FOR = timedelta(days=7)
"""How long an idempotency key is remembered, by the store's clock."""


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """A receipt by reference. ``committed`` tells whether its revision was its own commit.

    ``kept_at`` is when it was made, in seconds since 1970 UTC.
    """

    fingerprint: str
    revision: int
    committed: bool
    items: tuple[KeptItem, ...]
    kept_at: int


def keep(receipt: Receipt, fingerprint: str, now: datetime) -> KeptReceipt:
    """What to store of a receipt."""
    items = tuple(
        (
            item.outcome,
            item.fact.id if item.fact else None,
            item.fact.revision if item.fact else 0,
            item.superseded,
        )
        for item in receipt.items
    )
    kept_at = int(now.timestamp())
    return KeptReceipt(fingerprint, receipt.revision, bool(receipt.changes), items, kept_at)


def forgotten_since(now: datetime) -> int:
    """Receipts with ``kept_at`` no later than this, in seconds since 1970 UTC, are forgotten."""
    return int((now - KEPT_FOR).timestamp())


def replay(
    kept: KeptReceipt,
    fingerprint: str,
    history: Callable[[str], Sequence[Fact]],
    changes: Callable[[int], Sequence[Change]],
) -> Receipt:
    """The earlier receipt again. Raises IdempotencyMismatch when the batch was another.

    ``history`` gives the versions of a fact, ``changes`` those of a revision.
    """
    if kept.fingerprint != fingerprint:
        raise IdempotencyMismatch(
            "this idempotency key was used with a different batch; use a new key for a new batch"
        )
    items = tuple(
        ItemResult(outcome, _version(history, fact_id, revision), superseded)
        for outcome, fact_id, revision, superseded in kept.items
    )
    made = tuple(changes(kept.revision)) if kept.committed else ()
    return Receipt(kept.revision, items, made, replayed=True)


def fingerprint_of(commands: Sequence[Command]) -> str:
    """A hash of a checked batch's canonical JSON: equal for equal batches."""
    text = json.dumps(list(commands), default=_plain, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _version(
    history: Callable[[str], Sequence[Fact]], fact_id: str | None, revision: int
) -> Fact | None:
    if fact_id is None:
        return None
    try:
        versions = history(fact_id)
    except NotFound:
        return None
    return next((version for version in versions if version.revision == revision), None)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        members = {field.name: getattr(value, field.name) for field in fields(value)}
        return {"type": type(value).__name__, **members}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
