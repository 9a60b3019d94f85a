"""pyoxigraph's streaming parser, with line numbers and without stopping at what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import IO, cast

import pyoxigraph
from pyoxigraph import RdfFormat

from graph.interchange.loading import BadLine
from graph.interchange.rdf_terms import Syntax, Term, Triple

_LONGEST = 2**20
"""Bytes of a line that the parser gets; it holds 16 MiB, and no fact needs as many."""

_DEEPEST = 100
"""Triples within triples; some ten thousand overflow the stack of the parser."""

_NESTING = re.compile(rb"<<|>>")
_PLACE = re.compile(r"^Parser error at .*?: | \(line \d+\)$")


def triples(lines: Iterable[bytes], syntax: Syntax) -> Iterator[tuple[int, Triple | BadLine]]:
    """Each triple with the number of the line where its statement ends, and each error.

    In Turtle an unclosed quote can swallow statements: the error then says where reading went on.
    """
    source = _Source(lines)
    waiting: BadLine | None = None
    for found in _parsed(source, syntax):
        yield from source.refused()
        if waiting is not None:
            gap = source.number > waiting.number + 1 and not isinstance(found, BadLine)
            more = f"; the next statement that was read ends on line {source.number}" if gap else ""
            yield waiting.number, BadLine(waiting.number, waiting.reason + more)
        waiting = found if isinstance(found, BadLine) else None
        if not isinstance(found, BadLine):
            yield source.number, found
            source.depth = 0
    if waiting is not None:
        yield waiting.number, waiting
    yield from source.refused()


class _Source:
    """Lines as the file that the parser reads. It gives one at a time, so that their number is that
    of the parser's place, and keeps back those that the parser would break on.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._given = b""
        self._at = 0
        self._refused: list[BadLine] = []
        self.number = 0
        self.depth = 0

    def read(self, size: int = -1) -> bytes:
        """The rest of the present line, or the next one; at most ``size`` bytes."""
        while self._at == len(self._given):
            line = next(self._lines, None)
            if line is None:
                return b""
            self.number += 1
            self._given, self._at = self._checked(line), 0
        end = len(self._given) if size < 0 else min(len(self._given), self._at + size)
        start, self._at = self._at, end
        return self._given[start:end]

    def put_before(self, text: bytes) -> None:
        """Give this before what is left of the present line."""
        self._given, self._at = text + self._given[self._at :], 0

    def refused(self) -> Iterator[tuple[int, BadLine]]:
        """What was kept back since the last call."""
        refused, self._refused = self._refused, []
        return ((bad.number, bad) for bad in refused)

    def _checked(self, line: bytes) -> bytes:
        """The line, or an empty one in its place."""
        if len(line) > _LONGEST:
            return self._refuse(f"the line is longer than {_LONGEST:,} bytes")
        deepest = self.depth
        for mark in _NESTING.findall(line):
            self.depth = max(0, self.depth + (1 if mark == b"<<" else -1))
            deepest = max(deepest, self.depth)
        if deepest > _DEEPEST:
            self.depth = 0
            return self._refuse(f"triples stand in one another, over {_DEEPEST} deep")
        return line

    def _refuse(self, reason: str) -> bytes:
        self._refused.append(BadLine(self.number, reason))
        return b"\n"


def _parsed(source: _Source, syntax: Syntax) -> Iterator[Triple | BadLine]:
    format = RdfFormat.N_TRIPLES if syntax == "ntriples" else RdfFormat.TURTLE
    while True:
        begun = source.number
        # It asks for no more of a file than read().
        parser = pyoxigraph.parse(cast("IO[bytes]", source), format=format)
        while True:
            try:
                found = next(parser)
            except StopIteration:
                return
            except SyntaxError as error:
                line = begun + error.lineno if error.lineno else source.number
                yield BadLine(line, _sentence(error))
                continue
            except MemoryError:
                yield BadLine(source.number, "what began before it has no end, and was left out")
                break
            yield _triple(found)
        source.put_before(_declarations(parser))


def _declarations(parser: pyoxigraph.QuadParser) -> bytes:
    """The prefixes and the base that hold where a parser stopped, for the next one."""
    prefixes = "".join(f"@prefix {name}: <{iri}> . " for name, iri in parser.prefixes.items())
    base = "" if parser.base_iri is None else f"@base <{parser.base_iri}> . "
    return (prefixes + base).encode()


def _sentence(error: SyntaxError) -> str:
    """What the parser says, less the place, which it says twice."""
    said = _PLACE.sub("", error.msg)
    return f"the line is not RDF: {said}"


def _triple(found: pyoxigraph.Quad | pyoxigraph.Triple) -> Triple:
    object = found.object
    return Triple(
        _term(found.subject),
        found.predicate.value,
        _triple(object) if isinstance(object, pyoxigraph.Triple) else _term(object),
    )


def _term(found: object) -> Term:
    match found:
        case pyoxigraph.NamedNode(value):
            return Term(f"<{value}")
        case pyoxigraph.BlankNode(value):
            return Term(f"_{value}")
        case pyoxigraph.Literal(value):
            return Term(f'"{value}', found.language)
    raise TypeError(f"{found!r} is no term")
