"""Facts as N-Triples or Turtle: nothing is lost, and no library is needed.

A fact without an end stands there twice: as the plain triple that it is, for tools that ask what is
true, and as a reified statement with its dates, its source and the rest. One with an end is only
the latter, since its triple alone would say that it still holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from graph.interchange import rdf_terms as terms
from graph.interchange.jsonl import records, settings_records
from graph.interchange.rdf_terms import Syntax, iri, literal, reference
from graph.interval import Period
from graph.store import Snapshot

_REMEMBERED = 1 << 14
"""Entities whose labels are not written again; past that they are, which changes nothing."""

_TOLD_OTHERWISE = ("id", "subject", "relation", "object", "aliases", "object_aliases")

_Block = tuple[str, list[tuple[str, str]]]
"""A subject, and its predicates and objects; all but the predicates are written out."""


def dump(snapshot: Snapshot, syntax: Syntax, as_of: Period | None = None) -> Iterator[str]:
    """Lines, without their ends, of relations and facts as in ``jsonl.dump``."""
    if syntax == "turtle":
        yield from (f"@prefix {name}: <{start}> ." for name, start in terms.PREFIXES.items())
    for subject, pairs in _blocks(snapshot, as_of):
        if syntax == "turtle":
            told = " ; ".join(f"{_short(name)} {_turtle(value)}" for name, value in pairs)
            yield f"{subject} {told} ."
        else:
            yield from (f"{subject} {reference(predicate)} {value} ." for predicate, value in pairs)


def _blocks(snapshot: Snapshot, as_of: Period | None) -> Iterator[_Block]:
    for relation in snapshot.relations():
        yield reference(iri(terms.RELATION, relation.name)), [(terms.LABEL, literal(relation.name))]
    for settings in settings_records(snapshot):
        name = settings.pop("relation")
        yield reference(iri(terms.RELATION, str(name))), _fields(settings)
    named: set[str] = set()
    for record in records(snapshot, as_of):
        for side, aliases in (("subject", "aliases"), ("object", "object_aliases")):
            yield from _names(str(record[side]), record.get(aliases), named)
        yield from _fact(record)


def _names(entity: str, aliases: object, named: set[str]) -> Iterator[_Block]:
    if entity in named and aliases is None:
        return
    if len(named) >= _REMEMBERED:
        named.clear()
    named.add(entity)
    pairs = [(terms.LABEL, literal(entity))]
    if isinstance(aliases, list):
        pairs += [(terms.ALIAS, literal(alias)) for alias in aliases]
    yield reference(iri(terms.ENTITY, entity)), pairs


def _fact(record: Mapping[str, object]) -> Iterator[_Block]:
    subject = reference(iri(terms.ENTITY, str(record["subject"])))
    relation = iri(terms.RELATION, str(record["relation"]))
    object = reference(iri(terms.ENTITY, str(record["object"])))
    if "valid_to" not in record and record["status"] == "active":
        yield subject, [(relation, object)]
    pairs = [
        (terms.TYPE, reference(terms.STATEMENT)),
        (terms.SUBJECT, subject),
        (terms.PREDICATE, reference(relation)),
        (terms.OBJECT, object),
    ]
    more = {name: value for name, value in record.items() if name not in _TOLD_OTHERWISE}
    yield reference(iri(terms.FACT, str(record["id"]))), pairs + _fields(more)


def _fields(record: Mapping[str, object]) -> list[tuple[str, str]]:
    return [(terms.FIELD + name, _value(name, value)) for name, value in record.items()]


def _value(name: str, value: object) -> str:
    if not isinstance(value, str):
        return literal(json.dumps(value, ensure_ascii=False), terms.JSON)
    return terms.date_literal(value) if name in ("valid_from", "valid_to") else literal(value)


def _turtle(value: str) -> str:
    """An object with its IRI, or the IRI of its type, abbreviated."""
    if not value.endswith(">"):
        return value
    before, _, iri = value[:-1].rpartition("<")
    return before + _short(iri)


def _short(iri: str) -> str:
    """An IRI as Turtle abbreviates it, where it begins with one of the prefixes."""
    for name, start in terms.PREFIXES.items():
        if iri.startswith(start):
            return f"{name}:{iri[len(start) :]}"
    return reference(iri)
