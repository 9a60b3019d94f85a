"""Are the graphs of a data folder, or of a backup, whole? Nothing is changed, others may write."""

from __future__ import annotations

import threading
from pathlib import Path

from dysk.backup import Progress, changed, graphs_in, stores_of, sum_of, telling
from graph import GraphError
from graph.sqlite_scrub import Scrubber
from graph.sqlite_verify import Problem, Verification, verify


def verify_data(
    data: Path, graph: str | None = None, progress: Progress | None = None
) -> dict[str, Verification]:
    """Check the graphs of a data folder, or one of them. Raises DataFolderError, NotFound."""
    found = {}
    for name, file in stores_of(data, graph).items():
        found[name] = _verified(file, telling(progress, f"checking {name}"))
        if not found[name].problems:
            # An erasure may have waited for this read to end, its own process gone by now.
            Scrubber(file, threading.Lock()).attempt()
    return found


def verify_backup(
    folder: Path, graph: str | None = None, progress: Progress | None = None
) -> dict[str, Verification]:
    """Check the graphs of a backup, or one of them, and that no byte of their files has changed.

    Raises BackupError, NotFound.
    """
    return {
        each.graph: _verified(
            folder / each.file, telling(progress, f"checking {each.graph}"), each.sha256
        )
        for each in graphs_in(folder, graph)
    }


def _verified(file: Path, progress: Progress, sha256: str | None = None) -> Verification:
    """A file that cannot be read at all is a problem like others: there may be more graphs."""
    try:
        if sha256 is not None and sum_of(file) != sha256:
            raise changed(file)
        return verify(file, progress)
    except (GraphError, OSError) as error:
        return Verification(0, 0, 0, unscrubbed=False, problems=(Problem("file", str(error)),))
