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

from graph.bounds import check_known_at, check_revision, check_since
from graph.fact import Command
from graph.idempotency import KeptReceipt, fingerprint_of, forgotten_since, keep, replay
from graph.interval import Period, parse_date
from graph.memory_records import Records
from graph.memory_snapshot import MemorySnapshot
from graph.memory_state import MemoryState
from graph.plan import make_plan
from graph.store import Change, Commit, Compaction, Receipt
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
        expect_revision: int | None = None,
    ) -> Receipt:
        """See FactStore. Durable for as long as the process lives."""
        batch = check_batch(commands)
        now = self._clock()
        with self._changed:
            self._records.check_open()
            state = MemoryState(self._records)
            kept = None if idempotency_key is None else self._receipts.get(idempotency_key)
            if kept is not None and kept.kept_at > forgotten_since(now):
                return replay(kept, fingerprint_of(batch), state.versions, self._changes_at)
            plan = make_plan(batch, state, now, expect_revision)
            receipt = plan.receipt(dry_run=dry_run)
            if dry_run:
                return receipt
            if plan.changes:
                self._records.persist(Commit(plan.revision, plan.recorded_at, plan.changes))
                self._changed.notify_all()
            if idempotency_key is not None:
                self._receipts[idempotency_key] = keep(receipt, fingerprint_of(batch), now)
            return receipt

    @property
    def revision(self) -> int:
        """The latest revision; 0 when nothing was ever written."""
        with self._changed:
            self._records.check_open()
            return self._records.revision

    @property
    def horizon(self) -> int:
        """The earliest revision that can be read; 0 when nothing was ever compacted."""
        with self._changed:
            self._records.check_open()
            return self._records.horizon

    def snapshot(
        self, *, revision: int | None = None, known_at: Period | None = None
    ) -> MemorySnapshot:
        """Pin the latest revision, the one given, or the last recorded before ``known_at`` ends."""
        if revision is not None and known_at is not None:
            raise ValueError("give a revision or known_at, not both")
        with self._changed:
            latest, horizon = self.revision, self._records.horizon
            if known_at is not None:
                revision = self._known_at(known_at)
                check_known_at(known_at, revision, horizon)
            elif revision is None:
                revision = latest
            check_revision(revision, horizon, latest)
            return MemorySnapshot(self._records, revision)

    def changes(self, since: int = 0, *, limit: int = 1000) -> list[Commit]:
        """Commits with ``revision > since``, oldest first, at most ``limit``."""
        with self._changed:
            self._records.check_open()
            check_since(since, self._records.horizon)
            first = max(since, 0) - self._records.horizon
            return self._records.commits[first : first + limit]

    def compact(self, before: int) -> Compaction:
        """See FactStore."""
        with self._changed:
            check_revision(before, 0, self.revision)
            return self._records.compact(max(before, self._records.horizon))

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

    def _known_at(self, moment: Period) -> int:
        """The last revision recorded before the moment ends; one before the horizon if there is
        none.
        """
        stamp = self._records.horizon_recorded_at
        if stamp and parse_date(stamp).start >= moment.end:
            return self._records.horizon - 1
        times = [parse_date(commit.recorded_at).start for commit in self._records.commits]
        return self._records.horizon + bisect_left(times, moment.end)

    def _changes_at(self, revision: int) -> Sequence[Change]:
        """The changes of a revision, as far as they are left."""
        place = revision - self._records.horizon - 1
        return self._records.commits[place].changes if place >= 0 else ()
