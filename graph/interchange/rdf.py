"""N-Triples and Turtle, ours and others', read by pyoxigraph (the extra ``rdf``).

A triple is a fact without dates. A reified statement, be it RDF 1.1's ``rdf:Statement``, an RDF 1.2
reifier or RDF-star's ``<< s p o >>``, is a fact with what its node tells: our fields, or dates and
sources in the words of schema.org, Wikidata, Dublin Core and PROV. The triple that it is about is
then no second fact. Labels and other names name things; they are no facts either.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

from graph.errors import InvalidFact
from graph.fact import Command
from graph.interchange import rdf_queries as queries
from graph.interchange import rdf_terms as terms
from graph.interchange.errors import UnreadableFile
from graph.interchange.loading import BadLine, Numbered, reason
from graph.interchange.names import Kind, Names
from graph.interchange.rdf_statements import assemble
from graph.interchange.rdf_terms import Syntax, Term, Triple, own_name, readable
from graph.interchange.rdf_writing import dump
from graph.interchange.records import Extra, to_command
from graph.interchange.scratch import scratch

__all__ = ["Syntax", "dump", "read"]

_REMEMBERED = 1 << 14
"""IRIs that are not offered a name again."""

_MOST_PROPERTIES = 1_000
"""Triples about one statement that are read."""

_OWN: dict[Kind, str] = {"entity": terms.ENTITY, "relation": terms.RELATION}


def read(
    lines: Iterable[bytes], syntax: Syntax, *, language: str = "en", extra: Extra = "reject"
) -> Iterator[Numbered]:
    """What each triple or statement means, numbered by the line where it ends.

    All is read before the first fact comes, since names and dates may stand anywhere; it is kept on
    disk meanwhile. Labels are taken in ``language``, else without one, else in English. ``extra``
    says what becomes of a statement's properties that no field of a fact has. Raises
    UnreadableFile without pyoxigraph.
    """
    try:
        from graph.interchange.rdf_parsing import triples
    except ModuleNotFoundError:
        raise UnreadableFile(
            "RDF is read by pyoxigraph, which is not installed: pip install 'dysk[rdf]'"
        ) from None
    with scratch() as connection:
        reader = _Reader(connection, language, extra)
        for number, found in triples(lines, syntax):
            bad = found.reason if isinstance(found, BadLine) else reader.gather(number, found)
            if bad is not None:
                yield number, BadLine(number, bad)
        reader.prepare()
        yield from reader.settings()
        yield from reader.facts()
        yield from ((number, command) for command in reader.names.aliases())


class _Reader:
    """Gathers triples in a scratch database, and tells what they mean once all are there."""

    def __init__(self, connection: sqlite3.Connection, language: str, extra: Extra) -> None:
        self._connection = connection
        self._extra = extra
        self._ranks = {"en": 2, None: 1, language.lower(): 0}
        connection.executescript(queries.SCHEMA)
        self.names = Names(connection)
        self._suggest_one = lru_cache(_REMEMBERED)(self._suggest_name)

    def gather(self, number: int, triple: Triple) -> str | None:
        """Keep a triple, or the name that it tells; returns what is wrong with it, if anything."""
        subject, predicate, object = triple
        if isinstance(object, Triple):
            if predicate != terms.REIFIES or isinstance(object.object, Triple):
                return "a triple within a triple is not read, unless a statement is about it"
            what = (object.subject.code, object.predicate, *object.object)
            self._connection.execute(queries.KEEP_REIFIED, (subject.code, *what))
            object = Term('"')
        elif object.is_literal and predicate in (terms.ALIAS, *terms.LABELS):
            try:
                self._name(subject, predicate, object)
            except InvalidFact as error:
                return reason(error)
            return None
        row = (number, subject.code, predicate, *object)
        self._connection.execute(queries.KEEP_TRIPLE, row)
        return None

    def prepare(self) -> None:
        """Find which triples make up statements, and gather the names of all that facts name."""
        self._connection.executescript(queries.PREPARE)
        for _, s, p, o, _, is_statement in self._connection.execute(queries.FACTS):
            if not is_statement:
                self._suggest(s, p, o)
        reified = self._connection.execute("SELECT s, p, o FROM reified WHERE p IS NOT NULL")
        for s, p, o in reified:
            self._suggest(s, p, o)
        for (s,) in self._connection.execute(queries.RELATIONS):
            self._suggest_one("relation", s)

    def settings(self) -> Iterator[Numbered]:
        """What is declared of relations."""
        rows = self._connection.execute(queries.SETTINGS)
        for code, group in groupby(rows, key=itemgetter(0)):
            told = [row[1:] for row in group]
            number = told[-1][0]
            record = {p.removeprefix(terms.FIELD): o[1:] for _, p, o in told}
            try:
                if len(record) < len(set(told)) or not code.startswith("<"):
                    raise InvalidFact("a relation is an IRI and has one value of each setting")
                yield number, to_command({"relation": self._relation(code[1:]), **record})
            except InvalidFact as error:
                yield number, BadLine(number, reason(error))

    def facts(self) -> Iterator[Numbered]:
        """What each triple and each statement says, in the order of the file."""
        for number, s, p, o, language, is_statement in self._connection.execute(queries.FACTS):
            if is_statement:
                yield from self._statement(number, s)
                continue
            yield number, self._fact(number, (s, p, o, language), {})

    def _statement(self, number: int, node: str) -> Iterator[Numbered]:
        """The facts that a node is about: one, but an RDF 1.2 reifier may have several."""
        told, about = (
            self._connection.execute(query, (node, _MOST_PROPERTIES + 1)).fetchall()
            for query in (queries.TOLD, queries.ABOUT)
        )
        try:
            if max(len(told), len(about)) > _MOST_PROPERTIES:
                raise InvalidFact(f"over {_MOST_PROPERTIES:,} triples are about {node[1:]}")
            if not about or about[0][1] is None:
                raise InvalidFact(f"statement {node[1:]} needs one subject, predicate and object")
            record = assemble(node, told, self._extra, with_id=len(about) == 1)
        except InvalidFact as error:
            yield number, BadLine(number, reason(error))
            return
        yield from ((number, self._fact(number, triple, record)) for triple in about)

    def _fact(
        self, number: int, triple: tuple[str, str, str, str | None], record: dict[str, object]
    ) -> Command | BadLine:
        s, p, o, language = triple
        try:
            parts = {"subject": self._entity(s), "object": self._entity(o)}
            attributes = record.get("attributes", {})
            if language is not None and isinstance(attributes, dict):
                record = {**record, "attributes": {"language": language, **attributes}}
            return to_command({**record, **parts, "relation": self._relation(p)}, self._extra)
        except InvalidFact as error:
            return BadLine(number, reason(error))

    # Names.

    def _name(self, subject: Term, predicate: str, given: Term) -> None:
        """Note a label as the name of its thing, and any name as an alias."""
        rank = self._ranks.get(given.language)
        if rank is None:
            return
        identifier = _identifier("entity", subject.code)
        self.names.add_alias(identifier, given.code[1:])
        if predicate in terms.LABELS:
            rank = 2 * rank + terms.LABELS[predicate]
            self.names.offer("label", subject.code, given.code[1:], rank)

    def _suggest(self, s: str, p: str, o: str) -> None:
        """Offer names for the IRIs of a fact: our own hold one, others have a label or an end."""
        self._suggest_one("entity", s)
        self._suggest_one("relation", f"<{p}")
        self._suggest_one("entity", o)

    def _suggest_name(self, kind: Kind, code: str) -> None:
        if code.startswith('"'):
            return
        identifier = _identifier(kind, code)
        label = self.names.offered("label", code)
        with suppress(InvalidFact):  # then the fact that names it is bad, or bears the whole IRI
            if own_name(_OWN[kind], code[1:]) is not None:
                self.names.offer(kind, identifier, identifier, 0)
            elif label is not None:
                self.names.offer(kind, identifier, label, 1)
            elif code.startswith("<"):
                name = readable(identifier, words=kind == "relation")
                self.names.offer(kind, identifier, name, 2)

    def _entity(self, code: str) -> str:
        """The name of a subject or object. Raises InvalidFact where it has none that lasts."""
        if code.startswith('"'):
            return code[1:]
        identifier = _identifier("entity", code)
        if code.startswith("_") and self.names.name("entity", identifier) is None:
            raise InvalidFact(
                "a blank node has no name outside of its file: give it an IRI or a label"
            )
        return self.names.entity(identifier)

    def _relation(self, iri: str) -> str:
        identifier = _identifier("relation", f"<{iri}")
        return self.names.name("relation", identifier) or identifier


def _identifier(kind: Kind, code: str) -> str:
    """What a thing is known by in the file: an IRI, ``_:`` and a label, or a name of our own."""
    if code.startswith("_"):
        return f"_:{code[1:]}"
    return own_name(_OWN[kind], code[1:]) or code[1:]
