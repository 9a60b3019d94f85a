"""Trying writes on a copy of a graph, so that nothing is written where one of them is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from dysk.client import Dysk
from dysk.workspace import Workspace
from graph.sqlite_backup import copy_store


@contextmanager
def rehearsed(workspace: Workspace, name: str) -> Iterator[Dysk]:
    """A copy of a graph as it is now, or an empty one where there is none. It lies in the folder
    for temporary files and goes at the end.
    """
    with TemporaryDirectory(prefix="dysk-") as folder, Workspace(folder) as stage:
        original = workspace.folder(name) / "graph.db"
        if original.is_file() and original.stat().st_size:
            stage.folder(name).mkdir(parents=True)
            copy_store(original, stage.folder(name) / "graph.db")
        yield stage.graph(name, create=True)
