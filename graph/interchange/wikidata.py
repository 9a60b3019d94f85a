"""Wikidata's entities, as its JSON dumps have them: one entity a line, within one large array.

Each statement is a fact of the entity. Labels and aliases come from the same file, in one language;
without one the identifier serves as the name. The qualifiers P580 and P582 are the ends of a fact's
interval, P585 is the time in which it holds; others are kept as attributes. Deprecated statements
and those without a value mean no fact. References are left behind.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graph.errors import InvalidFact
from graph.fact import Add
from graph.interchange.lines import too_long
from graph.interchange.loading import BadLine, Numbered, Skipped, reason
from graph.interchange.names import Kind, Names
from graph.interchange.scratch import scratch
from graph.interchange.wikidata_values import Part, Time, identifier, member, time_of, value_of
from graph.interval import parse_date
from graph.validate import check

START, END, POINT = "P580", "P582", "P585"
"""The qualifiers *start time*, *end time* and *point in time*."""

_RANKS = ("preferred", "normal", "deprecated")
_PAGE = "https://www.wikidata.org/wiki/"


def read(lines: Iterable[bytes], *, language: str = "en") -> Iterator[Numbered]:
    """What each statement means, or what is wrong with it, under the number of its entity's line.

    All lines are read before the first fact comes, since an entity may be named before the line
    that says its name; what is remembered of them is on disk. Labels are taken in ``language``,
    else in the one for all (``mul``), else in English.
    """
    with scratch() as connection:
        connection.execute("CREATE TABLE claims (line INTEGER, claim TEXT)")
        names = Names(connection)
        for number, line in enumerate(lines, start=1):
            yield from _gather(connection, names, language, number, line)
        for number, claim in connection.execute("SELECT line, claim FROM claims ORDER BY rowid"):
            try:
                yield number, check(_to_add(json.loads(claim), names))
            except InvalidFact as error:
                yield number, BadLine(number, reason(error))
        yield from ((number, command) for command in names.aliases())


def _gather(
    connection: sqlite3.Connection, names: Names, language: str, number: int, line: bytes
) -> Iterator[Numbered]:
    """Keep a line's claims and names; tell what will be no fact."""
    text = line.strip().removesuffix(b",")
    if text in (b"", b"[", b"]"):
        return
    try:
        entity = _entity(line, text)
        for told in _names(entity, names, language):
            yield number, BadLine(number, told)
        groups = _mapping(entity, "claims")
    except InvalidFact as error:
        yield number, BadLine(number, reason(error))
        return
    for group in groups.values():
        for statement in group if isinstance(group, list) else [group]:
            try:
                claim = _claim(entity["id"], statement)
            except InvalidFact as error:
                yield number, BadLine(number, _which(entity, statement) + reason(error))
                continue
            if isinstance(claim, str):
                yield number, Skipped(number, _which(entity, statement) + claim)
            else:
                row = (number, json.dumps(claim, ensure_ascii=True))
                connection.execute("INSERT INTO claims VALUES (?, ?)", row)


def _entity(line: bytes, text: bytes) -> dict[str, Any]:
    """The entity of a line, its id checked. Raises InvalidFact."""
    too_much = too_long(line)
    if too_much is not None:
        raise InvalidFact(too_much)
    try:
        entity = json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidFact(f"the line is not UTF-8: {error.reason} at byte {error.start}") from None
    except RecursionError:
        raise InvalidFact("the JSON is nested too deeply") from None
    except ValueError as error:
        raise InvalidFact(f"the line is not JSON: {error}") from None
    if not isinstance(entity, dict):
        raise InvalidFact("a line is one entity: a JSON object with an id")
    identifier(entity.get("id"))
    return entity


def _names(entity: Mapping[str, Any], names: Names, language: str) -> Iterator[str]:
    """Gather the names of an entity; yield what is wrong with those that cannot be."""
    own: str = entity["id"]
    kind: Kind = "relation" if own.startswith("P") else "entity"
    names.offer(kind, own, own, rank=3)
    labels, aliases = _mapping(entity, "labels"), _mapping(entity, "aliases")
    for rank, code in enumerate(dict.fromkeys((language, "mul", "en"))):
        if code in labels:
            try:
                names.offer(kind, own, _text(labels[code]), rank)
            except InvalidFact as error:
                yield f"label of {own}: {reason(error)}"
    for alias in _aliases(aliases, language) if kind == "entity" else ():
        try:
            names.add_alias(own, _text(alias))
        except InvalidFact as error:
            yield f"alias of {own}: {reason(error)}"


def _aliases(aliases: Mapping[str, Any], language: str) -> Iterator[Any]:
    for code in dict.fromkeys((language, "mul")):
        found = aliases.get(code, [])
        yield from found if isinstance(found, list) else [found]


def _claim(subject: str, statement: Any) -> dict[str, Any] | str:
    """What is kept of a statement, or why it means no fact. Raises InvalidFact."""
    if not isinstance(statement, dict):
        raise InvalidFact("a statement should be a dict")
    rank = statement.get("rank", "normal")
    if rank not in _RANKS:
        raise InvalidFact(f"its rank should be one of {', '.join(_RANKS)}")
    main = member(statement, "mainsnak", dict)
    property = identifier(main.get("property"))
    if rank == "deprecated":
        return "deprecated"
    if main.get("snaktype") != "value":
        return "it has no value, or none that is known"
    qualifiers = _mapping(statement, "qualifiers")
    return {
        "id": member(statement, "id", str),
        "subject": subject,
        "property": property,
        "value": value_of(main),
        "interval": _interval(qualifiers),
        "rank": rank,
        "qualifiers": {name: _values(snaks) for name, snaks in _others(qualifiers).items()},
    }


def _interval(qualifiers: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The interval that the qualifiers tell, half-open. Raises InvalidFact."""
    start, end, point = (_one_time(qualifiers, name) for name in (START, END, POINT))
    if start is None and end is None:
        return (None, None) if point is None else (point.first, point.following)
    valid_from = None if start is None else start.first
    if end is None:
        return valid_from, None
    if valid_from is not None and parse_date(end.first).start <= parse_date(valid_from).start:
        return valid_from, end.following  # from March 2015 to 2015: some time within that year
    return valid_from, end.first


def _one_time(qualifiers: Mapping[str, Any], name: str) -> Time | None:
    snaks = member(qualifiers, name, list, [])
    if len(snaks) > 1:
        raise InvalidFact(f"it has {len(snaks)} values of {name}; one interval needs one")
    if not snaks:
        return None
    snak = snaks[0]
    if isinstance(snak, dict) and snak.get("snaktype") == "value":
        return time_of(snak)
    if name == END and isinstance(snak, dict) and snak.get("snaktype") == "somevalue":
        raise InvalidFact(f"it has ended, and {END} does not say when")
    return None


def _others(qualifiers: Mapping[str, Any]) -> dict[str, Any]:
    """The qualifiers that no interval tells."""
    told = {START, END} if START in qualifiers or END in qualifiers else {POINT}
    return {identifier(name): snaks for name, snaks in qualifiers.items() if name not in told}


def _values(snaks: Any) -> list[list[Part]]:
    if not isinstance(snaks, list) or not all(isinstance(snak, dict) for snak in snaks):
        raise InvalidFact("qualifiers should be lists of dicts")
    return [value_of(snak) for snak in snaks if snak.get("snaktype") == "value"]


def _to_add(claim: Mapping[str, Any], names: Names) -> Add:
    def words(parts: list[Part]) -> str:
        texts = (
            p if isinstance(p, str) else names.name("entity", p["id"]) or p["id"] for p in parts
        )
        return "".join(texts)

    attributes: dict[str, object] = {}
    if claim["rank"] == "preferred":
        attributes["rank"] = "preferred"
    if claim["qualifiers"]:
        attributes["qualifiers"] = {
            names.name("relation", name) or name: [words(parts) for parts in values]
            for name, values in claim["qualifiers"].items()
        }
    subject, value = claim["subject"], claim["value"]
    is_entity = len(value) == 1 and isinstance(value[0], dict)
    return Add(
        names.entity(subject),
        names.name("relation", claim["property"]) or claim["property"],
        names.entity(value[0]["id"]) if is_entity else words(value),
        valid_from=claim["interval"][0],
        valid_to=claim["interval"][1],
        source=f"{_PAGE}{subject}",
        id=claim["id"],
        attributes=attributes,
    )


def _mapping(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A member that is an object; empty ones are often written as empty lists, or left out."""
    value = record.get(name) or {}
    if not isinstance(value, dict):
        raise InvalidFact(f"{name} should be a dict, not a {type(value).__name__}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, dict):
        raise InvalidFact("a name should be a dict with a value")
    return str(member(value, "value", str))


def _which(entity: Mapping[str, Any], statement: Any) -> str:
    name = statement.get("id") if isinstance(statement, dict) else None
    return f"statement {name}: " if isinstance(name, str) else f"a statement of {entity['id']}: "
