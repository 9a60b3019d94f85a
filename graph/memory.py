"""A store in plain dicts and lists: the readable reference, and the oracle that others are held to.

It keeps every version of every fact and answers each read by looking at all that could matter.
Nothing survives the process.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from graph.errors import NotFound, RevisionUnknown
from graph.fact import Command, Fact, Relation
from graph.idempotency import KeptReceipt, fingerprint_of, keep, replay
from graph.interval import Period, parse_date
from graph.memory_records import Records
from graph.memory_snapshot import MemorySnapshot
from graph.plan import make_plan
from graph.state import Entry, Slot
from graph.store import Commit, Receipt
from graph.validate import check_batch


class MemoryStore:
    """Implements FactStore. ``clock`` gives the time that commits are recorded at."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._records = Records()
        self._changed = threading.Condition(self._records.lock)
        self._receipts: dict[str, KeptReceipt] = {}

    def apply(
        self,
        commands: Sequence[Command],
        *,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> Receipt:
        """See FactStore. Durable for as long as the process lives."""
        batch = check_batch(commands)
        with self._changed:
            self._records.check_open()
            state = _MemoryState(self._records)
            kept = None if idempotency_key is None else self._receipts.get(idempotency_key)
            if kept is not None:
                commits = self._records.commits
                return replay(
                    kept,
                    fingerprint_of(batch),
                    state.versions,
                    lambda revision: commits[revision - 1].changes,
                )
            plan = make_plan(batch, state, self._clock())
            receipt = plan.receipt(dry_run=dry_run)
            if dry_run:
                return receipt
            if plan.changes:
                self._records.persist(Commit(plan.revision, plan.recorded_at, plan.changes))
                self._changed.notify_all()
            if idempotency_key is not None:
                self._receipts[idempotency_key] = keep(receipt, fingerprint_of(batch))
            return receipt

    @property
    def revision(self) -> int:
        """The latest revision; 0 when nothing was ever written."""
        with self._changed:
            self._records.check_open()
            return len(self._records.commits)

    def snapshot(
        self, *, revision: int | None = None, known_at: Period | None = None
    ) -> MemorySnapshot:
        """Pin the latest revision, the one given, or the last recorded before ``known_at`` ends."""
        if revision is not None and known_at is not None:
            raise ValueError("give a revision or known_at, not both")
        with self._changed:
            latest = self.revision
            if known_at is not None:
                times = [parse_date(commit.recorded_at).start for commit in self._records.commits]
                revision = bisect_left(times, known_at.end)
            if revision is not None and not 0 <= revision <= latest:
                raise RevisionUnknown(f"there is no revision {revision}; the latest is {latest}")
            return MemorySnapshot(self._records, latest if revision is None else revision)

    def changes(self, since: int = 0, *, limit: int = 1000) -> list[Commit]:
        """Commits with ``revision > since``, oldest first, at most ``limit``."""
        with self._changed:
            self._records.check_open()
            return self._records.commits[max(since, 0) : max(since, 0) + limit]

    def wait(self, since: int, timeout: float) -> bool:
        """Block until ``revision > since`` or ``timeout`` seconds passed; True in the first
        case.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while self.revision <= since:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return False
                self._changed.wait(remaining)
            return True

    def close(self) -> None:
        """Refuse further calls, and wake those that wait."""
        with self._changed:
            self._records.closed = True
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _MemoryState:
    """Implements State: the latest revision, for planning."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.revision = len(records.commits)
        self.recorded_at = records.commits[-1].recorded_at if records.commits else ""
        self.recorded = len(records.versions)

    def entry(self, fact_id: str) -> Entry | None:
        versions = self._records.versions.get(fact_id)
        return Entry(self._records.positions[fact_id], versions[-1]) if versions else None

    def taken(self, fact_id: str) -> bool:
        return fact_id in self._records.versions

    def versions(self, fact_id: str) -> Sequence[Fact]:
        versions = self._records.versions.get(fact_id)
        if not versions:
            raise NotFound(f"there is no fact {fact_id!r}")
        return versions

    def slot(self, slot: Slot) -> list[Entry]:
        current = self._records.current(self._records.slots.get(slot, ()), self.revision)
        return [
            Entry(self._records.positions[fact.id], fact)
            for fact in current
            if (fact.subject, fact.relation) == slot
        ]

    def contested(self, slot: Slot) -> bool:
        return any(entry.fact.statement.exclusive for entry in self.slot(slot))

    def stating(self, slot: Slot, object: str) -> list[Fact]:
        entries = sorted(self.slot(slot), key=lambda entry: entry.position)
        return [entry.fact for entry in entries if entry.fact.object == object]

    def relation(self, name: str) -> Relation | None:
        settings = self._records.relations.get(name)
        return settings[-1][1] if settings else None

    def aliases(self, entity: str) -> tuple[str, ...]:
        return tuple(alias for _, alias in self._records.aliases.get(entity, ()))
