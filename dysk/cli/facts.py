"""The write verbs: the five on facts, relation, merge and compact. None of them loads a model."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from dysk.cli import settings
from dysk.cli.errors import InputError
from dysk.cli.output import print_compaction, print_receipt, say
from dysk.client import Dysk
from dysk.erasure import bytes_remain

_PANEL = "Write"
_CORRECTABLE = (
    "subject",
    "relation",
    "object",
    "valid_from",
    "valid_to",
    "source",
    "external_id",
    "attributes",
)

FactId = Annotated[str, typer.Argument(metavar="ID", help="Id of the fact, as `add` printed it.")]


class OnConflict(StrEnum):
    """What to do with a fact that holds already and says otherwise."""

    supersede = "supersede"
    coexist = "coexist"
    reject = "reject"


class Cardinality(StrEnum):
    """How many objects a subject may have at one time."""

    one = "one"
    many = "many"


def register(app: typer.Typer) -> None:
    """Mount the write verbs."""
    for verb in (add, end, correct, retract, erase, relation, merge, compact):
        app.command(rich_help_panel=_PANEL)(verb)


def add(
    context: typer.Context,
    subject: Annotated[str, typer.Argument(help="Whom or what the fact is about.")],
    relation: Annotated[str, typer.Argument(help="What it says about the subject.")],
    object: Annotated[str, typer.Argument(help="The value.")],
    valid_from: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="First instant at which it holds.")
    ] = None,
    valid_to: Annotated[
        str | None,
        typer.Option("--to", metavar="DATE", help="Instant from which it no longer holds."),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Where it is from.")] = None,
    alias: Annotated[list[str] | None, typer.Option(help="Another name of the subject.")] = None,
    object_alias: Annotated[
        list[str] | None, typer.Option(help="Another name of the object.")
    ] = None,
    on_conflict: Annotated[
        OnConflict | None,
        typer.Option(help="When another value holds already; default: as the relation declares."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the effect, write nothing.")
    ] = False,
) -> None:
    """State a fact.

    Example: dysk add "UK" "head of government" "Keir Starmer" --from 2024-07-05
    """
    chosen = settings.of(context)
    with chosen.opened(create=True) as graph:
        receipt = graph.add(
            subject,
            relation,
            object,
            valid_from=valid_from,
            valid_to=valid_to,
            source=source,
            aliases=tuple(alias or ()),
            object_aliases=tuple(object_alias or ()),
            on_conflict=on_conflict.value if on_conflict else None,
            dry_run=dry_run,
        )
    print_receipt(receipt, as_json=chosen.as_json)


def end(
    context: typer.Context,
    fact_id: FactId,
    at: Annotated[str, typer.Option(metavar="DATE", help="Instant from which it no longer holds.")],
) -> None:
    """Say that a fact stopped being true."""
    chosen = settings.of(context)
    with chosen.opened() as graph:
        receipt = graph.end(fact_id, at)
    print_receipt(receipt, as_json=chosen.as_json)


def correct(
    context: typer.Context,
    fact_id: FactId,
    changes: Annotated[
        list[str],
        typer.Argument(metavar="FIELD=VALUE...", help="The right values; valid_to= clears a date."),
    ],
) -> None:
    """Mend a fact that was recorded wrongly; the old version stays in its history."""
    chosen = settings.of(context)
    parsed = parse_changes(changes)
    with chosen.opened() as graph:
        receipt = graph.correct(fact_id, expect_revision=None, **parsed)
    print_receipt(receipt, as_json=chosen.as_json)


def retract(context: typer.Context, fact_id: FactId) -> None:
    """Say that a fact was never true; its history stays."""
    chosen = settings.of(context)
    with chosen.opened() as graph:
        receipt = graph.retract(fact_id)
    print_receipt(receipt, as_json=chosen.as_json)


def erase(context: typer.Context, fact_id: FactId) -> None:
    """Remove every byte of a fact, history included. Cannot be undone."""
    chosen = settings.of(context)
    with chosen.opened() as graph:
        receipt = graph.erase(fact_id)
        waits = isinstance(graph, Dysk) and bytes_remain(graph.store)
    print_receipt(receipt, as_json=chosen.as_json)
    if waits:
        say(
            "another program reads the graph's file from before: the bytes go when it has ended "
            "and dysk next opens the graph; `dysk verify` says if any are left"
        )


def relation(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The relation, as facts name it.")],
    cardinality: Annotated[
        Cardinality, typer.Option(help="`one`: a newer object supersedes the older.")
    ] = Cardinality.many,
    template: Annotated[
        str | None,
        typer.Option(help="A sentence with {subject} and {object} that words its facts."),
    ] = None,
    inverse: Annotated[
        str | None,
        typer.Option(help="Its name seen from the object: `employs` for `works for`."),
    ] = None,
) -> None:
    """Declare a relation: whether it has one object at a time, and how it reads."""
    chosen = settings.of(context)
    with chosen.opened(create=True) as graph:
        receipt = graph.set_relation(
            name, cardinality=cardinality.value, template=template, inverse=inverse
        )
    print_receipt(receipt, as_json=chosen.as_json)


def merge(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="The entity that is another one.")],
    target: Annotated[str, typer.Argument(help="The one that it is.")],
) -> None:
    """Say that two entities are one: all that is said of SOURCE is said of TARGET from now on.

    Example: dysk merge "Sir Keir Starmer" "Keir Starmer"
    """
    chosen = settings.of(context)
    with chosen.opened() as graph:
        receipt = graph.merge(source, target)
    print_receipt(receipt, as_json=chosen.as_json)


def compact(
    context: typer.Context,
    before: Annotated[
        int, typer.Option(metavar="REVISION", min=0, help="The earliest revision to keep.")
    ],
) -> None:
    """Forget what only revisions before REVISION need. Cannot be undone."""
    chosen = settings.of(context)
    with chosen.opened() as graph:
        print_compaction(graph.compact(before), as_json=chosen.as_json)


def parse_changes(assignments: list[str]) -> dict[str, object]:
    """``["valid_to=2024"]`` as ``{"valid_to": "2024"}``; empty is None, attributes are JSON.

    Raises InputError for an unknown or repeated field and for what is not an assignment.
    """
    changes: dict[str, object] = {}
    for assignment in assignments:
        field, equals, value = assignment.partition("=")
        if not equals:
            raise InputError(
                f"{assignment!r} is not FIELD=VALUE; write for example valid_to=2024-07-05"
            )
        if field not in _CORRECTABLE:
            raise InputError(
                f"a fact has no field {field!r} to correct; it has {', '.join(_CORRECTABLE)}"
            )
        if field in changes:
            raise InputError(f"{field} is given twice; give it once")
        changes[field] = _attributes(value) if field == "attributes" else value or None
    return changes


def _attributes(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise InputError(
            f'attributes={text} is not JSON; write for example attributes=\'{{"note": "checked"}}\''
        ) from None
