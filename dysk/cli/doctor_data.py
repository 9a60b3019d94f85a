"""What the doctor looks at in a data folder: room, rights, graphs, their indexes, the clock."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dysk.cli.findings import Finding
from dysk.cli.settings import Settings
from dysk.errors import DyskError
from dysk.workspace import Workspace
from graph.errors import GraphError
from graph.store import FactStore

_ROOM = 2 * 1024**3
"""Bytes of free disk below which the converted models and indexes may not fit."""
_EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""dysk is younger than that: a clock that says otherwise is wrong."""
_AHEAD = timedelta(minutes=1)


def examine(chosen: Settings) -> Iterator[Finding]:
    """The folder first, then each graph in it."""
    yield disk(chosen.data)
    try:
        workspace = chosen.workspace()
    except DyskError as error:
        yield Finding("data folder", "fail", str(chosen.data), str(error))
        return
    latest = None
    with workspace:
        yield _folder(chosen)
        for name in workspace.graphs():
            try:
                store = workspace.graph(name).store
                with store.snapshot() as snapshot:
                    state = f"{snapshot.count()} facts, revision {snapshot.revision}"
                latest = max(filter(None, (latest, _last_commit(store))), default=None)
            except GraphError as error:
                yield Finding("store", "fail", f"graph {name}", str(error))
                continue
            yield Finding("store", "ok", f"graph {name}: {state}")
            yield from _lock(workspace, name)
            yield from _index(workspace, name, store.revision)
    yield clock(datetime.now(UTC), latest)


def disk(data: Path) -> Finding:
    """Room where the data folder is, or would be made."""
    existing = next(
        folder for folder in (data.absolute(), *data.absolute().parents) if folder.exists()
    )
    free = shutil.disk_usage(existing).free
    found = f"{free / 1024**3:.1f} GiB free"
    if free < _ROOM:
        return Finding("disk", "warn", found, "free some space: models and indexes take 1 GiB")
    return Finding("disk", "ok", found)


def clock(now: datetime, latest: datetime | None) -> Finding:
    """Is the time credible, beside the latest commit of any graph?"""
    found = now.isoformat(timespec="seconds")
    mend = "set the clock: questions about now are answered as of what it says"
    if latest is not None and latest > now + _AHEAD:
        found += f", yet a commit was recorded at {latest.isoformat(timespec='seconds')}"
        return Finding("clock", "warn", found, mend)
    if now < _EARLIEST:
        return Finding("clock", "warn", f"{found}, which is before dysk was made", mend)
    return Finding("clock", "ok", found)


def _folder(chosen: Settings) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=chosen.data):
            pass
    except OSError as error:
        mend = f"let this user write there, or name another folder with --data ({error.strerror})"
        return Finding("data folder", "fail", f"{chosen.data} cannot be written", mend)
    return Finding("data folder", "ok", str(chosen.data))


def _last_commit(store: FactStore) -> datetime | None:
    if not store.revision:
        return None
    (commit,) = store.changes(store.revision - 1, limit=1)
    return datetime.fromisoformat(commit.recorded_at)


def _lock(workspace: Workspace, name: str) -> Iterator[Finding]:
    """A finding where the graph cannot be written to at this moment."""
    path = workspace.folder(name) / "graph.db"
    if not path.is_file():
        return  # on a server
    try:
        with closing(sqlite3.connect(path, timeout=2, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        mend = (
            "end the program that holds it, if it hangs"
            if "locked" in str(error)
            else f"let this user write to {path} and its folder"
        )
        yield Finding("lock", "warn", f"graph {name} cannot be written now: {error}", mend)


def _index(workspace: Workspace, name: str, revision: int) -> Iterator[Finding]:
    """A finding where an index was written: it is made anew from the feed in any case of doubt."""
    from dysk.retrieval import index_file

    path = workspace.folder(name) / index_file.NAME
    if not path.is_file():
        return
    columns = index_file.read(path)
    try:
        heading = json.loads((columns or {})["heading"][0])
        behind = revision - int(heading["revision"])
    except (LookupError, ValueError, TypeError):
        behind = -1
    if behind < 0:
        mend = f"nothing to do: the next ask makes it anew; to spare it the time, remove {path}"
        found = f"graph {name}: the copy on disk is damaged or of another graph"
        yield Finding("index", "warn", found, mend)
    else:
        yield Finding("index", "ok", f"graph {name}: {behind} revisions behind, read up at a start")
