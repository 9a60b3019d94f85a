"""Is the file that a store opened still the one at its path?

A file that is removed while it is open lives on without a name: SQLite would go on writing to it,
and all of that would be gone with the process.
"""

from __future__ import annotations

import os
from pathlib import Path

from graph.errors import StoreUnavailable


class Presence:
    """Remembers which file is at ``path`` when it is made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _identity(path)

    def check(self) -> None:
        """Raises StoreUnavailable when the file was removed, moved, or replaced by another."""
        if _identity(self._path) != self._file:
            raise StoreUnavailable(
                f"{self._path} was removed or replaced while it was open: put the same file back, "
                "or restore a backup and open the store again (restart the service)"
            )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 (at every read and write, and Path is slower)
    except OSError:
        return None
    return found.st_dev, found.st_ino
