"""JSON Lines: one JSON object a line, a fact or the settings of a relation. Loses nothing.

    {"relation": "head of government", "cardinality": "one"}
    {"subject": "UK", "relation": "head of government", "object": "Keir Starmer",
     "valid_from": "2024-07-05", "aliases": ["United Kingdom"]}

(the second on one line). A line with a subject is a fact; see ``records`` for its fields.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from graph.errors import InvalidFact
from graph.fact import Command, Fact, Relation, Statement
from graph.interchange.lines import too_long
from graph.interchange.loading import BATCH, BadLine, ImportReport, Numbered, load_commands, reason
from graph.interchange.records import Extra, to_command, to_record
from graph.interval import Period
from graph.store import FactStore, Snapshot

_BOM = b"\xef\xbb\xbf"
_REMEMBERED = 1 << 14
"""Entities whose aliases are not written again."""


def read(lines: Iterable[bytes], *, extra: Extra = "reject") -> Iterator[Numbered]:
    """Each line's number, from 1, with its command or what is wrong with it. Blank lines are
    skipped.

    ``extra="attributes"`` keeps a fact's unknown fields as attributes instead of refusing the line.
    """
    for number, line in enumerate(lines, start=1):
        if number == 1:
            line = line.removeprefix(_BOM)
        if line.strip():
            yield number, _command(number, line, extra)


def load(
    store: FactStore,
    lines: Iterable[bytes],
    *,
    batch: int = BATCH,
    on_bad: Callable[[BadLine], None] | None = None,
    progress: Callable[[int], None] | None = None,
    extra: Extra = "reject",
) -> ImportReport:
    """Read lines into a store; see ``load_commands`` and ``read``."""
    numbered = read(lines, extra=extra)
    return load_commands(store, numbered, batch=batch, on_bad=on_bad, progress=progress)


def dump(snapshot: Snapshot, as_of: Period | None = None) -> Iterator[str]:
    """Lines, without their ends, of the declared relations and then the facts, aliases with them.

    Loading them into an empty store gives the same facts. Retracted facts and past versions stay
    behind. With ``as_of`` only the facts that hold then are written, each with the end that it has,
    since the facts that closed them may be missing.
    """
    for settings in settings_records(snapshot):
        yield _line(settings)
    for record in records(snapshot, as_of):
        yield _line(record)


def settings_records(snapshot: Snapshot) -> Iterator[dict[str, object]]:
    """The records of the relations that have settings."""
    for relation in snapshot.relations():
        if relation != Relation(relation.name):
            yield _settings(relation)


def records(snapshot: Snapshot, as_of: Period | None) -> Iterator[dict[str, object]]:
    """The records of the facts; an entity's aliases go with the first fact that names it.

    They come again after very many entities, which changes nothing: to remember every entity would
    take memory that grows with the graph.
    """
    cardinalities = {relation.name: relation.cardinality for relation in snapshot.relations()}
    named: set[str] = set()

    def aliases(entity: str) -> tuple[str, ...]:
        if entity in named:
            return ()
        if len(named) >= _REMEMBERED:
            named.clear()
        named.add(entity)
        return snapshot.aliases(entity)

    for fact in snapshot.facts(as_of=as_of):
        written = fact if as_of is None else _frozen(fact)
        subject_aliases = aliases(fact.subject)
        cardinality = cardinalities[fact.relation]
        yield to_record(written, cardinality, subject_aliases, aliases(fact.object))


def _frozen(fact: Fact) -> Fact:
    """The fact as if its present end had been stated."""
    statement = Statement(fact.valid_to, fact.status != "active", fact.statement.exclusive)
    return replace(fact, statement=statement)


def _settings(relation: Relation) -> dict[str, object]:
    settings: dict[str, object] = {
        "relation": relation.name,
        "cardinality": relation.cardinality,
    }
    if relation.template is not None:
        settings["template"] = relation.template
    if relation.inverse is not None:
        settings["inverse"] = relation.inverse
    return settings


def _command(number: int, line: bytes, extra: Extra) -> Command | BadLine:
    too_much = too_long(line)
    if too_much is not None:
        return BadLine(number, too_much)
    try:
        record = _DECODER.decode(line.decode("utf-8"))
        return to_command(record, extra)
    except UnicodeDecodeError as error:
        return BadLine(number, f"the line is not UTF-8: {error.reason} at byte {error.start}")
    except InvalidFact as error:
        return BadLine(number, reason(error))
    except RecursionError:
        return BadLine(number, "the JSON is nested too deeply")
    except ValueError as error:
        return BadLine(number, f"the line is not JSON: {error}")


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON number")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def _line(record: dict[str, object]) -> str:
    return json.dumps(record, ensure_ascii=False)
