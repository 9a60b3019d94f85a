"""pyoxigraph's streaming parser, with line numbers and without stopping at what is wrong."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from typing import IO, cast

import pyoxigraph
from pyoxigraph import RdfFormat

from graph.interchange.loading import BadLine
from graph.interchange.rdf_source import RdfSource, TooFar
from graph.interchange.rdf_terms import Syntax, Term, Triple

_PLACE = re.compile(r"^Parser error .*?: | \(line \d+\)$")


def triples(lines: Iterable[bytes], syntax: Syntax) -> Iterator[tuple[int, Triple | BadLine]]:
    """Each triple with the number of the line where its statement ends, and each error."""
    return _ntriples(lines) if syntax == "ntriples" else _turtle(lines)


def _ntriples(lines: Iterable[bytes]) -> Iterator[tuple[int, Triple | BadLine]]:
    """Line by line, since the parser would look for the end of an IRI in the next lines; of what is
    wrong with a line the first is told.
    """
    for number, line in enumerate(lines, start=1):
        source = RdfSource((line,))
        bad: BadLine | None = None
        for found in _until_lost(source, RdfFormat.N_TRIPLES):
            if isinstance(found, BadLine):
                bad = bad or found
            else:
                yield number, found
        for told in (*source.refused(), *([bad] if bad else [])):
            yield number, replace(told, number=number)


def _turtle(lines: Iterable[bytes]) -> Iterator[tuple[int, Triple | BadLine]]:
    """An open quote goes on over the next lines. Where it did so in vain, reading begins anew on
    the line after it. Where an error has the next statement left out, it says so.
    """
    source = RdfSource(lines)
    waiting: BadLine | None = None
    for found in _parsed(source):
        yield from ((bad.number, bad) for bad in source.refused())
        if waiting is not None:
            gap = source.number > waiting.number + 1 and not isinstance(found, BadLine)
            more = f"; the next statement that was read ends on line {source.number}" if gap else ""
            yield waiting.number, replace(waiting, reason=waiting.reason + more)
        waiting = found if isinstance(found, BadLine) else None
        if not isinstance(found, BadLine):
            yield source.number, found
    if waiting is not None:
        yield waiting.number, waiting
    yield from ((bad.number, bad) for bad in source.refused())


def _parsed(source: RdfSource) -> Iterator[Triple | BadLine]:
    """Triples and errors to the end of the source, by as many parsers as it takes."""
    while (yield from _until_lost(source, RdfFormat.TURTLE)):
        pass


def _until_lost(source: RdfSource, format: RdfFormat) -> Generator[Triple | BadLine, None, bool]:
    """Triples and errors of one parser; True when another one has to go on from the source."""
    begun = source.number
    parser = pyoxigraph.parse(cast("IO[bytes]", source), format=format)  # it only calls read()
    while True:
        try:
            found = next(parser)
        except StopIteration:
            return False
        except SyntaxError as error:
            line = begun + max(1, error.lineno or 1)
            yield BadLine(line, f"the line is not RDF: {_PLACE.sub('', error.msg)}")
            if source.back_to(line, _declarations(parser)):
                return True
        except TooFar as error:
            yield BadLine(error.number, "what begins here has no end")
            return source.back_to(error.number, _declarations(parser))
        except MemoryError:  # sixteen megabytes of what looks like remarks
            yield BadLine(source.number, "what began before has no end, and was left out")
            source.begin_anew(_declarations(parser))
            return True
        else:
            source.statement_read()
            yield _triple(found)


def _declarations(parser: pyoxigraph.QuadParser) -> bytes:
    """The prefixes and the base that hold where a parser stopped, for the next one."""
    prefixes = "".join(f"@prefix {name}: <{iri}> . " for name, iri in parser.prefixes.items())
    base = "" if parser.base_iri is None else f"@base <{parser.base_iri}> . "
    return (prefixes + base).encode()


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
