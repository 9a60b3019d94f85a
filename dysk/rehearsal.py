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
        if workspace.graph_url is None and original.is_file() and original.stat().st_size:
            stage.folder(name).mkdir(parents=True)
            copy_store(original, stage.folder(name) / "graph.db")
        copy = stage.graph(name, create=True)
        if workspace.graph_url is not None and name in workspace.graphs():
            # A server has no file to copy; what it knows now is enough to refuse by.
            copy.import_lines(line.encode() for line in workspace.graph(name).export_lines())
        yield copy
