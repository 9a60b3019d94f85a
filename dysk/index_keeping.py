"""The index of a graph on disk: written beside the graph, and believed only where the feed agrees.

What is written says of which commit it is, after which horizon, and from which encoder. It is taken
up again where the store has that very commit and the same horizon, and no fact was erased since;
else it is dropped, and the index is made from the feed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dysk.retrieval import index_file
from dysk.retrieval.index_file import Column
from graph.errors import GraphError
from graph.store import FactStore

_FORMAT = 1
_PAGE = 1_000


class IndexKeeper:
    """Reads and writes the index of the graph whose files lie in ``folder``."""

    def __init__(self, folder: Path, store: FactStore, encoder: str) -> None:
        self._folder = folder
        self._path = folder / index_file.NAME
        self._store = store
        self._encoder = encoder

    def load(self) -> tuple[int, dict[str, Any]] | None:
        """(revision, columns) as they were written, or None: make the index anew."""
        if not self._path.is_file():
            return None
        columns = index_file.read(self._path)
        if columns is not None:
            try:
                heading = json.loads(columns.pop("heading")[0])
                revision = int(heading["revision"])
                if heading == self._heading(revision) and not self._erased_since(revision):
                    return revision, columns
            except (GraphError, ValueError, KeyError, TypeError, IndexError):
                pass  # in doubt
        self.drop()
        return None

    def save(self, revision: int, columns: Mapping[str, Column]) -> bool:
        """Write the state at a revision; False where that cannot be done, which harms nobody."""
        try:
            heading = json.dumps(self._heading(revision))
            index_file.write(self._path, {"heading": [heading], **columns})
            # Who erases drops the file after the commit. If that came before the file was put in
            # its place, the feed tells of it by now.
            if not self._erased_since(revision):
                return True
        except (GraphError, OSError):
            pass
        self.drop()
        return False

    def drop(self) -> None:
        """Remove what is on disk."""
        with suppress(OSError):
            index_file.drop(self._folder)

    def _heading(self, revision: int) -> dict[str, Any]:
        """What must agree. Raises HistoryCompacted when the commit is no longer there."""
        (commit,) = self._store.changes(revision - 1, limit=1)
        told = repr((commit.revision, commit.recorded_at, commit.changes))
        return {
            "format": _FORMAT,
            "revision": commit.revision,
            "commit": hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest(),
            "horizon": self._store.horizon,
            "encoder": self._encoder,
        }

    def _erased_since(self, revision: int) -> bool:
        while commits := self._store.changes(revision, limit=_PAGE):
            if any(change.kind == "erase" for commit in commits for change in commit.changes):
                return True
            revision = commits[-1].revision
        return False
