"""Connections to the store's file: how they are opened, checked and shared, and what errors
mean.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graph.errors import StoreCorrupt, StoreUnavailable
from graph.migrations import APPLICATION_ID, SCHEMA_VERSION
from graph.sqlite_presence import Presence

BUSY_SECONDS = 5.0
"""How long to wait for another process that opens or recovers the file."""
TURN_SECONDS = 30.0
"""How long a writer waits for its turn; another process may be rewriting a large file."""
_LOOK_MILLISECONDS = 10
_MAGIC = b"SQLite format 3\0"

_UNAVAILABLE = {
    "SQLITE_BUSY": "another process keeps it locked; try again, or stop that process",
    "SQLITE_LOCKED": "it is locked; try again",
    "SQLITE_FULL": "the disk is full; free some space and try again",
    "SQLITE_READONLY": "the file is read-only; make it and its folder writable to change facts",
    "SQLITE_CANTOPEN": "it cannot be opened; does the folder exist, and may this user write in it?",
    "SQLITE_IOERR": "the disk failed or is full; look at the system's log, free space, try again",
    "SQLITE_PERM": "this user may not open it; change the permissions",
    "SQLITE_NOMEM": "there is no memory left",
}
_CORRUPT = {
    "SQLITE_CORRUPT": "the file is damaged; restore a copy",
    "SQLITE_NOTADB": "the file is not a SQLite database; choose another path",
}


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into StoreUnavailable or StoreCorrupt that say what to do."""
    try:
        yield
    except sqlite3.ProgrammingError as error:
        if "closed" not in str(error):
            raise
        raise StoreUnavailable(f"the store {path} is closed; open it again") from error
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        family = "_".join(name.split("_")[:2])
        if family in _CORRUPT:
            raise StoreCorrupt(f"{path}: {_CORRUPT[family]} ({error})") from error
        if family in _UNAVAILABLE:
            raise StoreUnavailable(f"{path}: {_UNAVAILABLE[family]} ({error})") from error
        raise


def inspect(path: Path) -> None:
    """Raise StoreCorrupt for a file that is no store of ours, without touching it.

    A file that is missing or empty will become a store.
    """
    if not path.is_file() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise StoreCorrupt(f"{path}: {_CORRUPT['SQLITE_NOTADB']}")
    connection = connect_to_read(path)
    try:
        ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    finally:
        connection.close()
    if not ours and tables:
        raise StoreCorrupt(f"{path} is a SQLite database but not a dysk store; choose another path")
    if ours and version > SCHEMA_VERSION:
        raise StoreCorrupt(
            f"{path} was written by a newer dysk (its format is {version}, this one knows "
            f"{SCHEMA_VERSION}); upgrade dysk to open it"
        )


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode, for any thread, one at a time.

    Foreign keys are not enforced: writers make all keys themselves, and to delete a version SQLite
    would look through every change for its mention. ``verify`` checks them.
    """
    return sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


@contextmanager
def write_transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that writes: committed on success, undone on any error."""
    _begin_writing(connection)
    try:
        yield
        connection.execute("COMMIT")
    finally:
        # Some errors, such as a full disk, make SQLite roll back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _begin_writing(connection: sqlite3.Connection) -> None:
    """Begin a transaction that writes, when no other process does.

    SQLite's own wait looks ever more seldom, in the end every 100 ms, and may never see a gap
    between the commits of a process that writes without a pause. Short waits do.
    """
    deadline = time.monotonic() + TURN_SECONDS
    connection.execute(f"PRAGMA busy_timeout = {_LOOK_MILLISECONDS}")
    try:
        while not connection.in_transaction:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection, like ``connect``'s, that leaves the file and its log as they are.

    One that may write folds the log into the file when it closes, be it ours or not.
    """
    return sqlite3.connect(
        f"{path.as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


class Readers:
    """Connections that only read, lent to one thread at a time and kept for the next."""

    def __init__(self, path: Path, presence: Presence) -> None:
        self._path = path
        self._presence = presence
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def lend(self) -> Iterator[sqlite3.Connection]:
        """A connection outside any transaction. SQLite's errors are translated."""
        with translated(self._path):
            connection = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection)

    def close(self) -> None:
        """Close what is idle; what is lent is closed when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise StoreUnavailable(f"the store {self._path} is closed; open it again")
            self._presence.check()
            if self._idle:
                return self._idle.pop()
        connection = connect(self._path)
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.rollback()
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()
