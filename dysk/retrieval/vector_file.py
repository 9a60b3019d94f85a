"""Vectors of names, kept on disk between runs: a cache that can be lost, but that must forget.

The file holds hashes of texts, not texts. It knows which encoder made a vector, so that a text is
forgotten whichever did, and no encoder has to be loaded for that.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graph.sqlite_connection import translated

Halves = NDArray[np.float16]
"""One vector, float16 [dim]."""

_SQL_VARIABLES = 500
_BUSY_SECONDS = 30
# A rollback journal rather than a WAL: once `forget` has committed, no second file still holds the
# old pages.
_SCHEMA = """
    PRAGMA secure_delete = ON; PRAGMA journal_mode = DELETE; PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS vector (
        text BLOB NOT NULL, encoder TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (text, encoder)
    ) WITHOUT ROWID;
"""


def key_of(text: str) -> bytes:
    """What stands for a text in the file: 32 bytes."""
    return hashlib.sha256(text.encode()).digest()


class VectorFile:
    """A SQLite file, made when missing, and made anew when it is damaged. Thread-safe.

    Several processes may open one file. Raises StoreUnavailable when it cannot be opened, and from
    every method once it is closed.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        with translated(self._path):
            try:
                self._file = _open(self._path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError:  # what it held can be made again
                self._path.unlink()
                self._file = _open(self._path)

    def read(self, keys: Sequence[bytes], encoder: str) -> dict[bytes, Halves]:
        """The vectors that an encoder, named by its fingerprint, made of these texts."""
        found: dict[bytes, Halves] = {}
        with self._lock, translated(self._path):
            for begin in range(0, len(keys), _SQL_VARIABLES):
                part = keys[begin : begin + _SQL_VARIABLES]
                marks = ",".join("?" * len(part))
                rows = self._file.execute(
                    f"SELECT text, value FROM vector WHERE text IN ({marks}) AND encoder = ?",  # noqa: S608
                    [*part, encoder],
                )
                found.update((key, np.frombuffer(value, dtype=np.float16)) for key, value in rows)
        return found

    def add(self, vectors: Mapping[bytes, Halves], encoder: str) -> None:
        """Keep vectors. On a full or read-only disk nothing is kept: they can be made again."""
        rows = [(key, encoder, vector.tobytes()) for key, vector in vectors.items()]
        lost = contextlib.suppress(sqlite3.OperationalError)
        with self._lock, translated(self._path), lost, self._file:
            self._file.executemany("INSERT OR IGNORE INTO vector VALUES (?, ?, ?)", rows)

    def forget(self, keys: Collection[bytes]) -> None:
        """Remove every vector of these texts, byte for byte. Raises StoreUnavailable."""
        with self._lock, translated(self._path):
            with self._file:
                gone = self._file.executemany(
                    "DELETE FROM vector WHERE text = ?", [(key,) for key in keys]
                ).rowcount
            if gone > 0:
                # Rows that once moved between pages left copies behind: only a rewrite of the file
                # is rid of them. It is tried again at the next erasure.
                with contextlib.suppress(sqlite3.OperationalError):
                    self._file.execute("VACUUM")

    def close(self) -> None:
        """Close the file; safe to call twice."""
        with self._lock:
            self._file.close()


def forget_texts(path: Path, texts: Collection[str]) -> None:
    """Forget these texts in the file at ``path``, if there is one. Raises StoreUnavailable."""
    if path.is_file():
        file = VectorFile(path)
        try:
            file.forget([key_of(text) for text in texts])
        finally:
            file.close()


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = sqlite3.connect(path, check_same_thread=False, timeout=_BUSY_SECONDS)
    try:
        file.executescript(_SCHEMA)
    except BaseException:
        file.close()
        raise
    return file
