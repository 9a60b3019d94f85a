"""A file of columns: what an index is made of, kept so that a start need not make it anew.

A zip of numpy arrays without compression, each with its checksum. It can be lost: whoever finds it
missing or damaged makes the index from the feed. Texts of facts stand in it, so an erasure drops
it (``drop``), together with whatever a writer that was killed left behind.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any] | Sequence[str]
"""Numbers of any shape, or texts."""

NAME = "index.npz"
"""The file's name in the folder of a graph."""
_UNFINISHED = f"{NAME}.*.part"
_TEXTS, _LENGTHS = "texts.", "lengths."


def write(path: Path, columns: Mapping[str, Column]) -> None:
    """Put the columns in place of what the file held, at once or not at all. Raises OSError."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, column in columns.items():
        if isinstance(column, np.ndarray):
            arrays[name] = column
        else:
            joined = "".join(column).encode("utf-8", "surrogatepass")
            arrays[_TEXTS + name] = np.frombuffer(joined, dtype=np.uint8)
            arrays[_LENGTHS + name] = np.fromiter(map(len, column), np.int32, len(column))
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        unfinished.replace(path)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any] | None:
    """The columns, arrays and lists of texts; None where there is no file or it is damaged."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    except (RuntimeError, SyntaxError, TypeError, MemoryError):
        return None  # a damaged heading asks the reader for what it cannot do
    columns: dict[str, Any] = {}
    for name, array in arrays.items():
        if name.startswith(_TEXTS):
            plain = name.removeprefix(_TEXTS)
            columns[plain] = _split(array, arrays[_LENGTHS + plain])
        elif not name.startswith(_LENGTHS):
            columns[name] = array
    return columns


def drop(folder: Path) -> None:
    """Remove the file of a graph's folder, finished or not. Raises OSError."""
    for path in (folder / NAME, *folder.glob(_UNFINISHED)):
        path.unlink(missing_ok=True)


def grouped(values: Sequence[Any], sizes: Iterable[int]) -> list[tuple[Any, ...]]:
    """``values`` cut into tuples of these sizes."""
    groups, begin = [], 0
    for size in sizes:
        groups.append(tuple(values[begin : begin + size]))
        begin += size
    return groups


def _split(joined: NDArray[np.uint8], lengths: NDArray[np.int32]) -> list[str]:
    text = joined.tobytes().decode("utf-8", "surrogatepass")
    ends = lengths.cumsum(dtype=np.int64)
    begins = ends - lengths
    return [text[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
