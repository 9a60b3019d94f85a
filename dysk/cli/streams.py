"""Files as bytes come out of them and lines go into them, plain or packed."""

from __future__ import annotations

import bz2
import gzip
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, cast

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from dysk.cli import output
from dysk.cli.errors import InputError

_PACKERS: dict[str, Callable[..., IO[str]]] = {".gz": gzip.open, ".bz2": bz2.open}


@contextmanager
def opened(file: str) -> Iterator[tuple[BufferedReader, int | None]]:
    """The raw bytes of a file or of stdin, and how many there are, where that is known."""
    if file == "-":
        yield BufferedReader(cast("RawIOBase", sys.stdin.buffer)), None
        return
    path = Path(file)
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise InputError(f"there is no file {file}: check the path, or give - for stdin") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    with stream:
        yield stream, path.stat().st_size or None  # a pipe has no size


@contextmanager
def rewindable(stream: BufferedReader) -> Iterator[BufferedReader]:
    """The stream, or a copy of what comes from it in a temporary file, to be read twice."""
    if stream.seekable():
        yield stream
        return
    with TemporaryFile() as kept:
        shutil.copyfileobj(stream, kept)
        kept.seek(0)
        yield cast("BufferedReader", kept)


def with_progress(
    lines: Iterable[bytes], stream: BufferedReader, size: int | None, message: str
) -> Iterator[bytes]:
    """The same lines, with a bar on stderr where that is a terminal; bytes read move it."""
    console = output.err()
    if not console.is_terminal:
        yield from lines
        return
    columns = (TextColumn(message), BarColumn(), TextColumn("{task.fields[lines]} lines"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress:
        task = progress.add_task("import", total=size, lines=0)
        for count, line in enumerate(lines, start=1):
            yield line
            if count % 100 == 0:
                read = stream.tell() if size is not None else 0
                progress.update(task, completed=read, lines=count)


def write(path: Path, lines: Iterable[str]) -> int:
    """Write all lines, or leave the old file as it was; returns how many. Raises InputError."""
    if path.exists() and not path.is_file():  # a pipe or a device is not replaced
        return _fill(path, path.suffix, lines)
    target = path.resolve()
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        count = _fill(scratch, path.suffix, lines)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return count


def _fill(path: Path, suffix: str, lines: Iterable[str]) -> int:
    count = 0
    try:
        with _PACKERS.get(suffix, open)(path, "wt", encoding="utf-8") as target:
            for line in lines:
                target.write(f"{line}\n")
                count += 1
    except OSError as error:
        raise InputError(f"cannot write in {path.parent}: {error.strerror}") from None
    return count
