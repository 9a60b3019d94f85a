"""Backup of the graphs of a data folder, and restore.

A backup is a folder of its own, each graph in it at one revision:

    <folder>/backup.json     which graphs there are, their revisions, sizes and SHA-256
    <folder>/<graph>.db      the store's file

Vectors are left out: they are made again from the facts when next needed. No model is loaded, and a
service may run on the data folder meanwhile. ``progress`` hears in words of what takes long.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from dysk.errors import BackupError, DataFolderError
from dysk.workspace import Workspace
from graph import NotFound, SQLiteStore, StoreCorrupt, format_utc
from graph.sqlite_backup import copy_store, sync
from graph.sqlite_verify import verify

MANIFEST = "backup.json"
FORMAT = 1
"""Of the manifest; that of a newer dysk is refused."""
_CHUNK = 1 << 20

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class GraphFile:
    """A graph in a backup: its file, and what was in it when it was made."""

    graph: str
    file: str
    bytes: int
    sha256: str
    revision: int
    facts: int


def back_up(
    data: Path, folder: Path, graph: str | None = None, progress: Progress | None = None
) -> list[GraphFile]:
    """Copy the graphs of ``data``, or one of them, to ``folder``: a new one, or one with nothing
    in it.

    The folder appears once all is in it and on disk. Raises BackupError, DataFolderError, NotFound,
    StoreUnavailable, StoreCorrupt.
    """
    folder = folder.expanduser().resolve()
    _refuse_taken(folder)
    sources = stores_of(data, graph)
    with _scratch(folder) as scratch:
        made = []
        for name, source in sources.items():
            target = scratch / f"{name}.db"
            copied = copy_store(source, target, _counting(progress, f"backing up {name}"))
            size, sha256 = target.stat().st_size, sum_of(target)
            made.append(GraphFile(name, target.name, size, sha256, copied.revision, copied.facts))
        manifest = {
            "format": FORMAT,
            "made_at": format_utc(datetime.now(UTC)),
            "graphs": [asdict(each) for each in made],
        }
        (scratch / MANIFEST).write_text(f"{json.dumps(manifest, indent=2)}\n", encoding="utf-8")
        sync(scratch / MANIFEST)
        _publish(scratch, folder)
    return made


def restore(
    folder: Path,
    data: Path,
    graph: str | None = None,
    *,
    name: str | None = None,
    progress: Progress | None = None,
) -> dict[str, GraphFile]:
    """Make the graphs of a backup, or one of them, graphs of ``data``; ``name`` is a new name for
    one. Returns them by the names that they have there.

    Where one of them is there already, nothing is restored. Each is checked before any appears.
    Raises BackupError, DataFolderError, NotFound, StoreUnavailable, StoreCorrupt.
    """
    chosen = graphs_in(folder, graph)
    if name is not None and len(chosen) > 1:
        raise BackupError(f"{folder} has {len(chosen)} graphs: say with --graph which to rename")
    named = {name or each.graph: each for each in chosen}
    with Workspace(data) as workspace:
        targets = {each: workspace.folder(each) for each in named}
    for target in targets.values():
        _refuse_taken(target)
    with ExitStack() as scratches:
        ready = {}
        for new, each in named.items():
            ready[new] = scratches.enter_context(_scratch(targets[new]))
            _bring_back(folder / each.file, each, ready[new] / "graph.db", progress)
        for new, scratch in ready.items():
            _publish(scratch, targets[new])
    return named


def graphs_in(folder: Path, graph: str | None = None) -> list[GraphFile]:
    """What a backup says that it has, or of one graph. Raises BackupError when it is none that can
    be read, NotFound when it has no such graph.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        newer = manifest["format"] > FORMAT
        graphs = [] if newer else [GraphFile(**each) for each in manifest["graphs"]]
    except OSError as error:
        raise BackupError(
            f"{folder} is no backup ({MANIFEST}: {error.strerror}): name a folder that "
            "`dysk backup` made"
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise BackupError(
            f"{folder / MANIFEST} is damaged ({error}): use another backup"
        ) from error
    if newer:
        raise BackupError(f"{folder} was made by a newer dysk: upgrade dysk to use it")
    found = [each for each in graphs if graph in (None, each.graph)]
    if not found:
        raise NotFound(f"there is no graph {graph!r} in the backup {folder}")
    return found


def stores_of(data: Path, graph: str | None = None) -> dict[str, Path]:
    """The files of the stores of a data folder by their graphs' names, or of one graph.

    Raises DataFolderError when there is no such folder, NotFound when no such graph.
    """
    if not data.is_dir():
        raise DataFolderError(f"there is no data folder {data}: name one with --data")
    with Workspace(data) as workspace:
        names = workspace.graphs() if graph is None else [graph]
        files = {name: workspace.folder(name) / "graph.db" for name in names}
    found = {name: file for name, file in files.items() if file.is_file()}
    if not found:
        raise NotFound(f"there is no graph{'' if graph is None else f' {graph!r}'} in {data}")
    return found


def sum_of(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def changed(file: Path) -> StoreCorrupt:
    """The error of a backup's file that is not what it was."""
    return StoreCorrupt(
        f"{file} is not as it was when the backup was made, but changed or damaged: use another "
        "backup"
    )


def telling(progress: Progress | None, step: str) -> Progress:
    """What leads a part of a step with the step's name."""

    def tell(part: str) -> None:
        if progress is not None:
            progress(f"{step}: {part}")

    return tell


def _bring_back(file: Path, expected: GraphFile, target: Path, progress: Progress | None) -> None:
    tell = _counting(progress, f"restoring {expected.graph}")
    try:
        with file.open("rb") as source, target.open("wb") as copy:
            while chunk := source.read(_CHUNK):
                copy.write(chunk)
                tell(copy.tell(), expected.bytes)
    except OSError as error:
        raise BackupError(f"{file} cannot be copied to {target}: {error.strerror}") from error
    if sum_of(target) != expected.sha256:
        raise changed(file)
    # Opening brings the file of an older version up to date.
    SQLiteStore(target).close()
    found = verify(target, telling(progress, f"checking {expected.graph}"))
    if found.problems:
        raise StoreCorrupt(f"{file}: {found.problems[0].detail}; use another backup")
    sync(target)


def _counting(progress: Progress | None, step: str) -> Callable[[int, int], None]:
    tell = telling(progress, step)
    return lambda done, total: tell(f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB")


def _refuse_taken(folder: Path) -> None:
    """Raise BackupError unless nothing, or an empty folder, is there."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupError(f"{folder} is there already, and nothing is overwritten: name a new one")


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder beside the one that it will become; removed unless it did."""
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        scratch.mkdir(parents=True)
    except OSError as error:
        raise BackupError(f"{scratch} cannot be made: {error.strerror}") from error
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _publish(scratch: Path, folder: Path) -> None:
    sync(scratch)
    try:
        scratch.rename(folder)  # fails where another put something meanwhile
    except OSError as error:
        raise BackupError(f"{folder} cannot be made: {error.strerror}") from error
    sync(folder.parent)
