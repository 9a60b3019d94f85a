"""Getting rid of the bytes of erased facts, however long others read the old ones.

An erasing commit notes itself in the table ``unscrubbed``. ``secure_delete`` zeroes what it
deletes, but rows that moved between pages leave copies behind in their old places, and the log has
the old pages: only a rewrite of the file and an emptied log are rid of them. A program that reads
from before keeps the log, so that emptying it is tried again until that program has let go.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path

from graph.sqlite_connection import connect

PATIENCE_SECONDS = 1.0
"""How long the first try waits for those who read from before. Writers wait with it."""
FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS = 0.25, 30.0
"""Between tries; each wait is twice the one before, up to the last."""


def is_unscrubbed(connection: sqlite3.Connection) -> bool:
    """True when bytes of an erased fact may still be in the file or its log."""
    return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM unscrubbed)").fetchone()[0])


class Scrubber:
    """Scrubs the file ``path``: at once where it can, else in a thread of its own.

    ``writing`` is the lock that this process's writers hold, so that none of them meets a rewrite
    half way. Should this process end first, the next one that opens the store goes on.
    """

    def __init__(self, path: Path, writing: threading.Lock) -> None:
        self._path = path
        self._writing = writing
        self._rewritten = 0
        self._owed = False
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def scrub(self, *, compacted: bool = False) -> None:
        """Scrub now, or begin to try again and again. The caller holds ``writing``.

        A compaction makes no revision, by which it could be told from what was scrubbed before.
        An erasure stands without it: neither a full disk nor a busy file is an error.
        """
        self._owed = self._owed or compacted
        if self.attempt(PATIENCE_SECONDS if self._thread is None else 0.0):
            return
        if self._thread is None and not self._closed.is_set():
            self._thread = threading.Thread(target=self._persist, name="dysk-scrub", daemon=True)
            self._thread.start()

    def attempt(self, patience: float = 0.0) -> bool:
        """Scrub once, waiting ``patience`` seconds for readers; True when nothing is left to do."""
        with (
            contextlib.suppress(sqlite3.DatabaseError),
            contextlib.closing(connect(self._path)) as connection,
        ):
            # Read first: what others erase from here on has to wait for the next round.
            (through,) = connection.execute("SELECT max(revision) FROM unscrubbed").fetchone()
            if through is None and not self._owed:
                return True
            if self._owed or through > self._rewritten:
                connection.execute("VACUUM")
                self._owed, self._rewritten = False, through or 0
            connection.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
            busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if not busy:
                connection.execute("DELETE FROM unscrubbed WHERE revision <= ?", (through,))
                return not is_unscrubbed(connection)
        return False

    def close(self) -> None:
        """Stop trying. The caller does not hold ``writing``."""
        self._closed.set()
        thread = self._thread
        if thread is not None:
            thread.join()

    def _persist(self) -> None:
        seconds = FIRST_RETRY_SECONDS
        while not self._closed.wait(seconds):
            with self._writing:
                if self.attempt():
                    self._thread = None
                    return
            seconds = min(2 * seconds, LAST_RETRY_SECONDS)
