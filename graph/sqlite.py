"""The durable store: one SQLite file in WAL mode.

A write is one ``BEGIN IMMEDIATE`` transaction on one connection, synced to disk before ``apply``
returns; the order of revisions is the order of commits, whichever process made them. Reads use
connections of their own and never wait for a writer.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from graph.bounds import check_known_at, check_revision, check_since
from graph.errors import StoreUnavailable
from graph.fact import Command
from graph.interval import Period
from graph.migrations import migrate
from graph.sqlite_batch import Batch
from graph.sqlite_compaction import compact
from graph.sqlite_connection import (
    Readers,
    connect,
    inspect,
    translated,
    write_transaction,
)
from graph.sqlite_feed import commits_between
from graph.sqlite_folding import Folder
from graph.sqlite_group import GroupCommit
from graph.sqlite_presence import Presence
from graph.sqlite_rows import horizon_of
from graph.sqlite_scrub import Scrubber, is_unscrubbed
from graph.sqlite_snapshot import SQLiteSnapshot
from graph.store import Commit, Compaction, Receipt
from graph.validate import check_batch

POLL_SECONDS = 0.05
"""How often ``wait`` looks for commits of other processes."""
WRITER_CACHE_KIB = 64 * 1024
"""Pages that the writer keeps at hand, at most: new facts touch pages all over the indices."""
LOG_PAGES = 16 * 1024
"""Length of the log, in pages of 4 KiB, from which on a commit folds it into the file itself."""


class SQLiteStore:
    """Implements FactStore in the file ``path``, which is made when missing.

    ``clock`` gives the time that commits are recorded at. Raises StoreCorrupt, and leaves the file
    as it is, when it is not a store or a newer version wrote it; StoreUnavailable when it cannot be
    opened. Several processes may open one file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path = Path(path).absolute()
        self._clock = clock
        self._writing = threading.Lock()
        self._committed = threading.Condition()
        self._scrubber = Scrubber(self._path, self._writing)
        self._folder = Folder(self._path)
        self._changes = 0
        self._closed = False
        with translated(self._path):
            inspect(self._path)
            self._writer = _open_writer(self._path)
            self._presence = Presence(self._path)
            self._readers = Readers(self._path, self._presence)
            self._group = GroupCommit(self._writer, self._writing, self._clean_up)
            with self._writing:
                self._scrub()

    def apply(
        self,
        commands: Sequence[Command],
        *,
        idempotency_key: str | None = None,
        dry_run: bool = False,
        expect_revision: int | None = None,
    ) -> Receipt:
        """See FactStore. On disk when it returns."""
        batch = Batch(check_batch(commands), self._clock(), idempotency_key, expect_revision)
        if dry_run:
            with self._readers.lend() as connection:
                connection.execute("BEGIN")
                return batch.rehearse(connection)
        with translated(self._path):
            receipt = self._group.run(lambda: self._write(batch))
        with self._committed:
            self._committed.notify_all()
        return receipt

    @property
    def revision(self) -> int:
        """The latest revision; 0 when nothing was ever written."""
        with self._readers.lend() as connection:
            return _latest(connection)

    @property
    def horizon(self) -> int:
        """The earliest revision that can be read; 0 when nothing was ever compacted."""
        with self._readers.lend() as connection:
            return horizon_of(connection)

    @property
    def unscrubbed(self) -> bool:
        """True while bytes of an erased fact may still be in the file or its log, because another
        program reads it from before; they go when that program lets go.
        """
        with self._readers.lend() as connection:
            return is_unscrubbed(connection)

    def snapshot(
        self, *, revision: int | None = None, known_at: Period | None = None
    ) -> SQLiteSnapshot:
        """Pin the latest revision, the one given, or the last recorded before ``known_at`` ends."""
        if revision is not None and known_at is not None:
            raise ValueError("give a revision or known_at, not both")
        with self._readers.lend() as connection:
            # The horizon first: it may move on meanwhile, but not past the latest read after it.
            horizon, latest = horizon_of(connection), _latest(connection)
            if known_at is not None:
                row = connection.execute(
                    "SELECT max(revision) FROM commits WHERE recorded_at < ?", (known_at.end,)
                ).fetchone()
                revision = row[0] or 0
                check_known_at(known_at, revision, horizon)
            elif revision is None:
                revision = latest
        check_revision(revision, horizon, latest)
        return SQLiteSnapshot(self._readers, revision)

    def changes(self, since: int = 0, *, limit: int = 1000) -> list[Commit]:
        """Commits with ``revision > since``, oldest first, at most ``limit``."""
        first = max(since, 0) + 1
        with self._readers.lend() as connection:
            # One transaction, so that no erasure falls between its statements.
            connection.execute("BEGIN")
            check_since(since, horizon_of(connection))
            return commits_between(connection, first, first + limit - 1)

    def compact(self, before: int) -> Compaction:
        """See FactStore. Rewrites the file, as an erasure does; writers wait for it."""
        with self._writing, translated(self._path):
            self._check_open()
            with write_transaction(self._writer):
                check_revision(before, 0, _latest(self._writer))
                compaction = compact(self._writer, before)
            if is_unscrubbed(self._writer):
                self._scrubber.scrub(compacted=True)
            return compaction

    def wait(self, since: int, timeout: float) -> bool:
        """Block until ``revision > since`` or ``timeout`` seconds passed; True in the first
        case.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._committed:
                if self.revision > since:
                    return True
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return False
                # Commits of this process notify; those of others are found by looking again.
                self._committed.wait(min(POLL_SECONDS, remaining))

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        self._scrubber.close()
        with self._writing:
            self._closed = True
            self._folder.close()
            self._readers.close()
            with translated(self._path):
                self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, batch: Batch) -> Receipt:
        self._check_open()
        receipt = batch.write(self._writer)
        self._changes += len(receipt.changes)
        return receipt

    def _clean_up(self) -> None:
        """What a commit leaves to do, before it is answered."""
        self._folder.wrote(self._changes)
        self._changes = 0
        self._scrub()

    def _scrub(self) -> None:
        if is_unscrubbed(self._writer):
            with self._folder.resting():
                self._scrubber.scrub()

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable(f"the store {self._path} is closed; open it again")
        self._presence.check()


def _open_writer(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _latest(connection: sqlite3.Connection) -> int:
    revision: int | None = connection.execute("SELECT max(revision) FROM commits").fetchone()[0]
    return revision or 0
