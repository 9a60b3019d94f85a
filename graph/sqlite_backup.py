"""A copy of a store's file, taken while others write."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from graph.errors import StoreUnavailable
from graph.migrations import CURRENT
from graph.sqlite_connection import connect_to_read, inspect, translated
from graph.sqlite_scrub import Scrubber

_STEP = 50_000
"""Instructions of SQLite between two calls of ``progress``: some milliseconds."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What is in a copy: its revision, and how many facts that are not retracted."""

    revision: int
    facts: int


def copy_store(
    source: Path, target: Path, progress: Callable[[int, int], None] | None = None
) -> Copied:
    """Copy the latest revision of a store to ``target``, where nothing is yet.

    The copy is one state of the store, whatever is written meanwhile, and is on disk when this
    returns. It is written anew row by row, so that it has no byte of a fact that was erased, even
    of one that the source still has to scrub. Writers do not wait; the log of the source grows
    until the copy is made. ``progress`` hears of the bytes written and of about how many there will
    be; an exception of its own ends the copy. When one ends early it leaves a part of ``target``.
    Raises StoreUnavailable, StoreCorrupt.
    """
    source, target = source.absolute(), target.absolute()
    if not source.is_file() or source.stat().st_size == 0:
        raise StoreUnavailable(f"there is no store {source}")
    if target.exists():
        raise StoreUnavailable(f"{target} is there already, and nothing is overwritten")
    with translated(source):
        inspect(source)
        with closing(connect_to_read(source)) as connection:
            pages, page_size = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "page_size")
            )
            with translated(target):
                _vacuum_into(connection, target, pages * page_size, progress)
    sync(target)
    sync(target.parent)
    # An erasure may have waited for this read to end, its own process gone by now.
    Scrubber(source, threading.Lock()).attempt()
    with closing(connect_to_read(target)) as copy:
        revision, facts = copy.execute(
            f"""SELECT (SELECT coalesce(max(revision), 0) FROM commits),
                       (SELECT count(*) FROM versions
                        WHERE until = {CURRENT} AND status != 'retracted')"""
        ).fetchone()
    return Copied(revision, facts)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _vacuum_into(
    connection: sqlite3.Connection,
    target: Path,
    expected: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    raised: list[BaseException] = []

    def tell() -> bool:
        # SQLite swallows what is raised here, a Ctrl-C too, and only ends the statement.
        try:
            if progress is not None:
                progress(target.stat().st_size if target.exists() else 0, expected)
        except BaseException as error:
            raised.append(error)
        return bool(raised)

    connection.set_progress_handler(tell, _STEP)
    try:
        connection.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.OperationalError:
        if raised:
            raise raised[0] from None
        raise
