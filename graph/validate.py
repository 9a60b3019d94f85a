"""Which values may be stored: the checks that every command passes before it is planned.

A checked command has its texts stripped and NFC-normalised, its dates parsed once, its attributes
known to be JSON. Errors point at the member at fault, relative to the command (``/valid_to``).
"""

from __future__ import annotations

import json
import re
import string
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from graph.errors import InvalidFact, InvalidTime
from graph.fact import (
    Add,
    Attributes,
    Command,
    Correct,
    End,
    Erase,
    Fact,
    MergeEntities,
    Relation,
    Retract,
    SetAliases,
    SetRelation,
    Statement,
)
from graph.interval import parse_date, parse_interval

MAX_TEXT = 2_000
"""Characters of a subject, relation, object, source or alias."""
MAX_ID = 200
"""Characters of a fact id or an external id."""
MAX_JSON = 16_384
"""Bytes of a fact's attributes, or of one command's aliases, as JSON."""

_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

CORRECTABLE = (
    "subject",
    "relation",
    "object",
    "valid_from",
    "valid_to",
    "source",
    "external_id",
    "attributes",
)
"""The fields that a Correct may change."""


class Checked(tuple[Command, ...]):
    """Commands that have passed ``check``, one by one: a batch of them is not checked again."""


def check_batch(commands: Iterable[Command]) -> tuple[Command, ...]:
    """The commands of a batch, normalised; errors point into it (``/3/valid_to``)."""
    if isinstance(commands, Checked):
        return commands
    checked = []
    for index, command in enumerate(commands):
        try:
            checked.append(check(command))
        except InvalidFact as error:
            error.pointer = f"/{index}{error.pointer}"
            raise
    return Checked(checked)


def check(command: Command) -> Command:
    """The command with normalised values. Raises InvalidFact or InvalidTime."""
    match command:
        case Add():
            return _check_add(command)
        case End():
            at = _date(command.at, "/at")
            if at is None:
                raise InvalidTime("an end needs the date from which the fact is not true", "/at")
            return replace(command, fact_id=_id(command.fact_id, "/fact_id"), at=at)
        case Correct():
            changes = check_changes(command.changes)
            return replace(command, fact_id=_id(command.fact_id, "/fact_id"), changes=changes)
        case Retract() | Erase():
            return replace(command, fact_id=_id(command.fact_id, "/fact_id"))
        case SetRelation():
            return SetRelation(_check_relation(command.relation))
        case SetAliases():
            entity = _text(command.entity, "/entity")
            return SetAliases(entity, _aliases(command.aliases, "/aliases"))
        case MergeEntities():
            source, target = _text(command.source, "/source"), _text(command.target, "/target")
            if source == target:
                raise InvalidFact("an entity is merged into another one, not itself", "/target")
            return MergeEntities(source, target)
    raise InvalidFact(f"{command!r} is not a command")


def check_changes(changes: Mapping[str, object]) -> dict[str, object]:
    """The changes of a Correct, normalised. Only the fact tells if its interval stays sound."""
    if not isinstance(changes, Mapping) or not changes:
        raise InvalidFact("a correction needs at least one field to change", "/changes")
    checked: dict[str, object] = {}
    for name, value in changes.items():
        pointer = f"/changes/{name}"
        match name:
            case "subject" | "relation" | "object":
                checked[name] = _text(value, pointer)
            case "valid_from" | "valid_to":
                checked[name] = _date(value, pointer)
            case "source":
                checked[name] = _optional_text(value, pointer, MAX_TEXT)
            case "external_id":
                checked[name] = _optional_text(value, pointer, MAX_ID)
            case "attributes":
                checked[name] = _attributes({} if value is None else value, pointer)
            case _:
                raise InvalidFact(
                    f"{name!r} cannot be corrected; what can: {', '.join(CORRECTABLE)}", pointer
                )
    return checked


def check_interval(fact: Fact) -> None:
    """Raise InvalidTime unless the interval that the fact states holds some instant."""
    parse_interval(fact.valid_from, fact.statement.valid_to)


def _check_add(add: Add) -> Add:
    valid_from = _date(add.valid_from, "/valid_from")
    valid_to = _date(add.valid_to, "/valid_to")
    try:
        parse_interval(valid_from, valid_to)
    except InvalidTime as error:
        raise InvalidTime(error.detail, "/valid_to") from None
    if add.on_conflict not in (None, "supersede", "coexist", "reject"):
        raise InvalidFact(
            f"on_conflict is {add.on_conflict!r}; it can be supersede, coexist or reject",
            "/on_conflict",
        )
    if add.statement is not None and not isinstance(add.statement, Statement):
        raise InvalidFact("statement has to be a Statement", "/statement")
    return Add(
        subject=_text(add.subject, "/subject"),
        relation=_text(add.relation, "/relation"),
        object=_text(add.object, "/object"),
        valid_from=valid_from,
        valid_to=valid_to,
        source=_optional_text(add.source, "/source", MAX_TEXT),
        external_id=_optional_text(add.external_id, "/external_id", MAX_ID),
        attributes=_attributes(add.attributes, "/attributes"),
        id=None if add.id is None else _id(add.id, "/id"),
        on_conflict=add.on_conflict,
        aliases=_aliases(add.aliases, "/aliases"),
        object_aliases=_aliases(add.object_aliases, "/object_aliases"),
        statement=add.statement,
    )


def _check_relation(relation: Relation) -> Relation:
    name = _text(relation.name, "/relation/name")
    if relation.cardinality not in ("one", "many"):
        raise InvalidFact(
            f"cardinality is {relation.cardinality!r}; it can be one (object at a time) or many",
            "/relation/cardinality",
        )
    inverse = _optional_text(relation.inverse, "/relation/inverse", MAX_TEXT)
    if inverse == name:
        raise InvalidFact(
            "a relation is not its own inverse; state such a fact in both directions",
            "/relation/inverse",
        )
    template = None if relation.template is None else _check_template(relation.template)
    return Relation(name, relation.cardinality, template, inverse)


def _check_template(value: object) -> str:
    template = _text(value, "/relation/template")
    try:
        fields = [part[1:] for part in string.Formatter().parse(template) if part[1] is not None]
    except ValueError:
        fields = []
    plain = all(
        name in ("subject", "object") and not spec and not how for name, spec, how in fields
    )
    if not plain or {name for name, _, _ in fields} != {"subject", "object"}:
        raise InvalidFact(
            "a template words a fact with {subject} and {object}, both and no other braces: "
            "'{object} leads {subject}'",
            "/relation/template",
        )
    return template


def _text(value: object, pointer: str, limit: int = MAX_TEXT) -> str:
    if not isinstance(value, str):
        raise InvalidFact(f"a text is needed here, not {_kind(value)}", pointer)
    # Most texts are plain, and that is quickly seen.
    if value.isascii() and value.isprintable() and 0 < len(value.strip()) == len(value) <= limit:
        return value
    text = unicodedata.normalize("NFC", value).strip()
    if not text:
        raise InvalidFact("the text is empty", pointer)
    if len(text) > limit:
        raise InvalidFact(f"the text has {len(text):,} characters; {limit:,} fit", pointer)
    unfit = _UNFIT.search(text)
    if unfit is not None:
        kind = "a control character" if unfit[0] < "\ud800" else "a lone surrogate"
        raise InvalidFact(f"the text has {kind}, U+{ord(unfit[0]):04X}", pointer)
    return text


def _optional_text(value: object, pointer: str, limit: int) -> str | None:
    return None if value is None else _text(value, pointer, limit)


def _id(value: object, pointer: str) -> str:
    return _text(value, pointer, MAX_ID)


def _date(value: object, pointer: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidTime(f"a date is a text such as '2021-05', not {_kind(value)}", pointer)
    try:
        return parse_date(value.strip()).text
    except InvalidTime as error:
        raise InvalidTime(error.detail, pointer) from None


def _aliases(value: object, pointer: str) -> tuple[str, ...]:
    if not isinstance(value, (tuple, list)):
        raise InvalidFact(f"aliases are a list of texts, not {_kind(value)}", pointer)
    if not value:
        return ()
    names = tuple(_text(name, f"{pointer}/{index}") for index, name in enumerate(value))
    _json_size(list(names), pointer)
    return tuple(dict.fromkeys(names))


def _attributes(value: object, pointer: str) -> Attributes:
    # Most have none, and to ask what else is a Mapping takes long.
    if isinstance(value, (dict, MappingProxyType)) and not value:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidFact(f"attributes are a JSON object, not {_kind(value)}", pointer)
    if not value:
        return {}
    # Through JSON and back, so that every store holds the same: tuples become lists.
    decoded: Attributes = json.loads(_json_size(dict(value), pointer))
    if not all(isinstance(name, str) for name in value):
        raise InvalidFact("the names of attributes are texts", pointer)
    return decoded


def _json_size(value: Any, pointer: str) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidFact("a text in it is not valid Unicode", pointer) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidFact(f"it cannot be written as JSON: {error}", pointer) from None
    if size > MAX_JSON:
        raise InvalidFact(f"it has {size:,} bytes as JSON; {MAX_JSON:,} fit", pointer)
    return text


def _kind(value: object) -> str:
    return "null" if value is None else f"a {type(value).__name__}"
