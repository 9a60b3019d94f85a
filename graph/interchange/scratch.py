"""A place on disk for what a reader must remember of a file, however large the file is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from graph.errors import StoreUnavailable

_CACHE_KIB = 8_192


@contextmanager
def scratch() -> Iterator[sqlite3.Connection]:
    """An empty SQLite database that spills to the folder for temporary files and goes with its
    connection. Memory stays at some 8 MiB.

    Raises StoreUnavailable when the disk is full. ``SQLITE_TMPDIR`` names another folder.
    """
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as connection:
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA journal_mode = OFF")
        try:
            yield connection
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(
                f"what must be remembered of the file does not fit on disk ({error}): "
                "make room, or name a larger folder in SQLITE_TMPDIR"
            ) from None
