"""Receipts under their idempotency keys, in the SQLite store."""

from __future__ import annotations

import json
import sqlite3

from graph.idempotency import KeptReceipt


def write_receipt(connection: sqlite3.Connection, key: str, kept: KeptReceipt) -> None:
    """Keep a receipt under its idempotency key, which is not taken."""
    values = (kept.fingerprint, kept.revision, kept.committed, json.dumps(kept.items), kept.kept_at)
    connection.execute("INSERT INTO receipts VALUES (?, ?, ?, ?, ?, ?)", (key, *values))


def forget_receipts(connection: sqlite3.Connection, through: int) -> None:
    """Forget the receipts kept until this time, in seconds since 1970 UTC."""
    connection.execute("DELETE FROM receipts WHERE kept_at <= ?", (through,))


def read_receipt(connection: sqlite3.Connection, key: str) -> KeptReceipt | None:
    """The receipt kept under an idempotency key."""
    row = connection.execute(
        """SELECT fingerprint, revision, committed, items, kept_at FROM receipts
           WHERE idempotency_key = ?""",
        (key,),
    ).fetchone()
    if row is None:
        return None
    fingerprint, revision, committed, items, kept_at = row
    decoded = tuple(
        (outcome, fact_id, version, tuple(superseded))
        for outcome, fact_id, version, superseded in json.loads(items)
    )
    return KeptReceipt(fingerprint, revision, bool(committed), decoded, kept_at)
