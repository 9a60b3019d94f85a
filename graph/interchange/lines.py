"""The lines of a file, which may be packed by gzip or bzip2, without ever holding much of it."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import IO, cast

from graph.interchange.errors import UnreadableFile

MAX_LINE = 16 * 2**20
"""Bytes of a line that are read. The longest entities of Wikidata have a quarter of that."""

_GZIP = b"\x1f\x8b"
_BZIP2 = b"BZh"


def unpack(stream: BufferedReader, name: str = "the file") -> Iterator[bytes]:
    """The lines of a stream, unpacked if its first bytes say gzip or bzip2.

    Of a line longer than MAX_LINE only MAX_LINE + 1 bytes come, which readers call bad. Raises
    UnreadableFile where a packed stream is damaged or breaks off.
    """
    first = stream.peek(len(_BZIP2))
    if first.startswith(_GZIP):
        with _damage_told(name, "gzip"), gzip.open(stream) as unpacked:
            yield from _bounded(cast("IO[bytes]", unpacked))
    elif first.startswith(_BZIP2):
        with _damage_told(name, "bzip2"), bz2.open(stream) as unpacked:
            yield from _bounded(unpacked)
    else:
        yield from _bounded(stream)


def too_long(line: bytes) -> str | None:
    """Why a line is bad that goes on after MAX_LINE bytes; None for any other."""
    return f"the line is longer than {MAX_LINE:,} bytes" if len(line) > MAX_LINE else None


def _bounded(stream: IO[bytes]) -> Iterator[bytes]:
    while line := stream.readline(MAX_LINE + 1):
        yield line
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE + 1)


@contextmanager
def _damage_told(name: str, packer: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError, zlib.error, ValueError):
        raise UnreadableFile(
            f"{name} is not a whole {packer} file, and lines before the break may be stored: "
            "fetch the file again and import it, what is stored is not stored twice"
        ) from None
