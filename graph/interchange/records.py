"""What a line of a file says, whatever its format: a record of named values, and the command it
means.

A fact's record has the fields of a Fact. An exported one may carry ``statement``, which holds what
was said before any supersession, so that loading the file lets the same facts close one another
again. ``supersedes``, ``superseded_by``, ``revision`` and ``recorded_at`` are for readers of the
file: they belong to the store that wrote it, and loading ignores them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from graph.errors import InvalidFact
from graph.fact import Add, Cardinality, Command, Fact, Relation, SetRelation, Statement
from graph.validate import check

Extra = Literal["reject", "attributes"]
"""What becomes of a fact's unknown fields: the line is bad, or they are kept as attributes."""

RELATION_FIELDS = ("relation", "cardinality", "template", "inverse")
"""The fields of a record that declares a relation: it has no subject."""

FACT_FIELDS = (
    "id",
    "subject",
    "relation",
    "object",
    "valid_from",
    "valid_to",
    "source",
    "external_id",
    "attributes",
    "aliases",
    "object_aliases",
    "on_conflict",
    "status",
    "statement",
    "supersedes",
    "superseded_by",
    "recorded_at",
    "revision",
)
"""The fields that a fact's record may have, in the order of writing."""

_GIVEN = frozenset(FACT_FIELDS[: FACT_FIELDS.index("status")])
_KNOWN = frozenset(FACT_FIELDS)


def to_command(record: Mapping[str, Any], extra: Extra = "reject") -> Command:
    """The command that a record means, checked. Raises InvalidFact with what is wrong."""
    if not isinstance(record, Mapping):
        raise InvalidFact("a line is a JSON object")
    if "relation" in record and "subject" not in record:
        return check(_to_relation(record))
    return check(_to_add(record, extra))


def to_record(
    fact: Fact, cardinality: Cardinality, aliases: tuple[str, ...], names: tuple[str, ...]
) -> dict[str, object]:
    """The record of a fact whose relation has this cardinality; empty fields are left out.

    ``aliases`` are other names of its subject, ``names`` those of its object, to write with it.
    """
    values: dict[str, object] = {
        "id": fact.id,
        "subject": fact.subject,
        "relation": fact.relation,
        "object": fact.object,
        "valid_from": fact.valid_from,
        "valid_to": fact.valid_to,
        "source": fact.source,
        "external_id": fact.external_id,
        "attributes": dict(fact.attributes),
        "aliases": list(aliases),
        "object_aliases": list(names),
        "status": fact.status,
        "statement": None if _is_plain(fact, cardinality) else _from_statement(fact.statement),
        "supersedes": list(fact.supersedes),
        "superseded_by": fact.superseded_by,
        "recorded_at": fact.recorded_at,
        "revision": fact.revision,
    }
    return {name: value for name, value in values.items() if value not in (None, [], {})}


def _to_relation(record: Mapping[str, Any]) -> SetRelation:
    unknown = sorted(set(record) - set(RELATION_FIELDS))
    if unknown:
        raise InvalidFact(
            f"unknown field {unknown[0]!r}; a relation has {', '.join(RELATION_FIELDS)}, "
            "and a fact has a subject as well"
        )
    relation = Relation(
        record["relation"],
        record.get("cardinality", "many"),
        record.get("template"),
        record.get("inverse"),
    )
    return SetRelation(relation)


def _to_add(record: Mapping[str, Any], extra: Extra) -> Add:
    for name in ("subject", "relation", "object"):
        if record.get(name) is None:
            raise InvalidFact(f"a fact needs a {name}", f"/{name}")
    values = {name: value for name, value in record.items() if value is not None and name in _GIVEN}
    if not record.keys() <= _KNOWN:
        unknown = {name: record[name] for name in record.keys() - _KNOWN}
        if extra == "reject":
            raise InvalidFact(f"unknown field {min(unknown)!r}", f"/{min(unknown)}")
        attributes = values.get("attributes", {})
        if isinstance(attributes, Mapping):
            values["attributes"] = {**unknown, **attributes}
    statement = _to_statement(record)
    if statement is not None:
        values["valid_to"] = statement.valid_to
    return Add(**values, statement=statement)


def _to_statement(record: Mapping[str, Any]) -> Statement | None:
    status, given = record.get("status"), record.get("statement")
    if status not in (None, "active", "ended", "superseded"):
        raise InvalidFact(
            f"status is {status!r}; a file brings facts that are active, ended or superseded",
            "/status",
        )
    if given is None:
        # Without its statement nothing tells what would reopen a closed fact: it is ended.
        closed = status in ("ended", "superseded")
        return Statement(record.get("valid_to"), ended=True) if closed else None
    known = {"valid_to": str | None, "ended": bool, "exclusive": bool}
    if not isinstance(given, Mapping) or set(given) - set(known):
        raise InvalidFact(f"a statement has {', '.join(known)} and nothing else", "/statement")
    for name, value in given.items():
        if not isinstance(value, known[name]):
            raise InvalidFact(f"{name} is {value!r}", f"/statement/{name}")
    return Statement(**given)


def _from_statement(statement: Statement) -> dict[str, object]:
    return {
        "valid_to": statement.valid_to,
        "ended": statement.ended,
        "exclusive": statement.exclusive,
    }


def _is_plain(fact: Fact, cardinality: Cardinality) -> bool:
    """True when an ordinary Add of the record would state just this."""
    said = Statement(fact.valid_to)
    return cardinality == "many" and fact.status == "active" and fact.statement == said
