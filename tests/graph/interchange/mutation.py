"""Valid documents made invalid, in the ways in which files go wrong and in some in which they are
made to.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

_TOKENS = (
    b'"', b"'", b'"""', b"\\", b"\\u0000", b"\\ud800", b"\\uD83D", b"{", b"}", b"[", b"]", b"(",
    b")", b"<", b">", b"<<", b">>", b"<<(", b")>>", b"{|", b"|}", b",", b";", b".", b":", b"@",
    b"@en", b"#", b"^^", b"_:b", b"\n", b"\r\n", b"\t", b"\0", b"\x1a", b"\x7f", b"\xff", b"\xc3",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"null", b"true", b"NaN", b"1e999", b"-0",
    b"9" * 40, b"9999999-99-99", b"-9999999", b"+00000000000-00-00T00:00:00Z", b"Q0", b"P580",
    b"somevalue", b"novalue", b"preferred", b"a ", b"@prefix x: <http://x/> .", b"@base <y> .",
    b"\xef\xbf\xbe", "Ångström ﬁ".encode(), b"%00", b"%", b"urn:dysk:entity:", b"urn:dysk:fact:",
    b"=cmd()", b"\r", b"x" * 3_000,
)  # fmt: skip
"""Pieces that mean something to some reader, and text that is hard to keep."""

_NUMBER = re.compile(rb"\d+")


def mutated(random: Random, document: bytes, others: tuple[bytes, ...]) -> bytes:
    """The document with one to six changes; ``others`` are documents to mix it with."""
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        change = random.choice(_CHANGES)
        document = change(random, document) if change else _splice(random, document, others)
    return document


def _place(random: Random, data: bytes) -> tuple[int, int]:
    """A short stretch of the data."""
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.choice((1, 1, 2, 5, 20, 100)))


def _flip(random: Random, data: bytes) -> bytes:
    if not data:
        return data
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << random.randrange(8))]) + data[at + 1 :]


def _insert(random: Random, data: bytes) -> bytes:
    at, _ = _place(random, data)
    return data[:at] + random.choice(_TOKENS) + data[at:]


def _replace(random: Random, data: bytes) -> bytes:
    start, end = _place(random, data)
    return data[:start] + random.choice(_TOKENS) + data[end:]


def _noise(random: Random, data: bytes) -> bytes:
    start, end = _place(random, data)
    return data[:start] + random.randbytes(end - start) + data[end:]


def _delete(random: Random, data: bytes) -> bytes:
    start, end = _place(random, data)
    return data[:start] + data[end:]


def _repeat(random: Random, data: bytes) -> bytes:
    start, end = _place(random, data)
    return data[:end] + data[start:end] * random.choice((1, 2, 30, 300)) + data[end:]


def _truncate(random: Random, data: bytes) -> bytes:
    return data[: random.randrange(len(data) + 1)]


def _shuffle(random: Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    random.shuffle(lines)
    return b"".join(lines)


def _renumber(random: Random, data: bytes) -> bytes:
    found = list(_NUMBER.finditer(data))
    if not found:
        return data
    number = random.choice(found)
    other = random.choice((b"0", b"-1", b"13", b"32", b"2147483648", b"1" * 5_000, b"1.5e3"))
    return data[: number.start()] + other + data[number.end() :]


def _splice(random: Random, data: bytes, others: tuple[bytes, ...]) -> bytes:
    other = random.choice(others)
    return data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other)) :]


_CHANGES: tuple[Callable[[Random, bytes], bytes] | None, ...] = (
    _flip,
    _flip,
    _insert,
    _insert,
    _replace,
    _noise,
    _delete,
    _repeat,
    _truncate,
    _shuffle,
    _renumber,
    None,
)
"""None stands for mixing with another document."""
