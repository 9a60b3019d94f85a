"""One batch of commands inside a transaction of the SQLite store: planned, and written."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime

from graph.collector import at_rest
from graph.fact import Command
from graph.idempotency import fingerprint_of, forgotten_since, keep, replay
from graph.plan import Plan, make_plan
from graph.sqlite_feed import commits_between
from graph.sqlite_receipts import forget_receipts, read_receipt, write_receipt
from graph.sqlite_state import SQLiteState
from graph.sqlite_writer import write_commit
from graph.store import Change, Commit, Receipt

LONG = 500
"""Commands from which on a batch is so long that the garbage collector rests meanwhile."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Checked commands and what ``apply`` was told about them; ``now`` is when that was."""

    commands: Sequence[Command]
    now: datetime
    idempotency_key: str | None = None
    expect_revision: int | None = None

    def rehearse(self, connection: sqlite3.Connection) -> Receipt:
        """The receipt of a dry run. The caller holds a transaction, which may be a reader's."""
        state = SQLiteState(connection, self.commands)
        kept = self._replayed(connection, state)
        return kept or self._plan(state).receipt(dry_run=True)

    def write(self, connection: sqlite3.Connection) -> Receipt:
        """Write what the commands change, and give the receipt. The caller commits."""
        with at_rest() if len(self.commands) >= LONG else nullcontext():
            return self._write(connection)

    def _write(self, connection: sqlite3.Connection) -> Receipt:
        state = SQLiteState(connection, self.commands)
        kept = self._replayed(connection, state)
        if kept is not None:
            return kept
        plan = self._plan(state)
        receipt = plan.receipt()
        if plan.changes:
            commit = Commit(plan.revision, plan.recorded_at, plan.changes)
            write_commit(connection, commit, state.keys)
        if self.idempotency_key is not None:
            fingerprint = fingerprint_of(self.commands)
            forget_receipts(connection, forgotten_since(self.now))
            write_receipt(connection, self.idempotency_key, keep(receipt, fingerprint, self.now))
        return receipt

    def _plan(self, state: SQLiteState) -> Plan:
        return make_plan(self.commands, state, self.now, self.expect_revision)

    def _replayed(self, connection: sqlite3.Connection, state: SQLiteState) -> Receipt | None:
        """The receipt that the idempotency key got earlier."""
        if self.idempotency_key is None:
            return None
        kept = read_receipt(connection, self.idempotency_key)
        if kept is None or kept.kept_at <= forgotten_since(self.now):
            return None
        return replay(
            kept,
            fingerprint_of(self.commands),
            state.versions,
            lambda revision: _changes_at(connection, revision),
        )


def _changes_at(connection: sqlite3.Connection, revision: int) -> Sequence[Change]:
    commits = commits_between(connection, revision, revision)
    return commits[0].changes if commits else ()
