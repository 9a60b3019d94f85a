"""Folding the log into the file, in a thread of its own, so that no commit waits for it."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from pathlib import Path

from graph.sqlite_connection import connect

ENOUGH = 1_000
"""Changes after which the log is folded. A small commit counts as several: it writes whole pages
for a few rows.
"""
_A_COMMIT = 4


class Folder:
    """Folds the log of the file ``path`` once enough has been written.

    SQLite itself would do so in the commit that finds the log too long, and hold that one up. It
    still does if this falls behind.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = 0
        self._due = threading.Event()
        self._closed = False
        self._folding = threading.Lock()
        self._thread: threading.Thread | None = None

    def wrote(self, changes: int) -> None:
        """Hear of a commit. Only one caller at a time, the one that wrote."""
        self._written += _A_COMMIT + changes
        if self._written < ENOUGH:
            return
        self._written = 0
        self._due.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="dysk-fold", daemon=True)
            self._thread.start()

    def resting(self) -> contextlib.AbstractContextManager[object]:
        """While this is held nothing is folded: two connections cannot fold at once."""
        return self._folding

    def close(self) -> None:
        """Stop folding."""
        self._closed = True
        self._due.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        with contextlib.closing(connect(self._path)) as connection:
            while True:
                self._due.wait()
                self._due.clear()
                if self._closed:
                    return
                # A busy file or a full disk is for the next commit to tell.
                with self._folding, contextlib.suppress(sqlite3.DatabaseError):
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
