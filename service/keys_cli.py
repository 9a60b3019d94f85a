"""``dysk keys``: make, list and revoke the keys of a data folder."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from dysk.cli import output
from dysk.cli import settings as command_line
from service.keys import Key, KeyRing
from service.records import key_record

app = typer.Typer(no_args_is_help=True)


class ScopeName(StrEnum):
    """What a key allows."""

    read = "read"
    write = "write"
    admin = "admin"


@app.callback()
def group() -> None:
    """Make, list and revoke keys to the service. With the first one, nobody comes in without."""


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose it is, or what for.")],
    scope: Annotated[ScopeName, typer.Option(help="read: ask and look.")] = ScopeName.read,
    graph: Annotated[
        list[str] | None, typer.Option(help="A graph that it is for; default: every graph.")
    ] = None,
) -> None:
    """Make a key and print it, this once: only its hash is kept."""
    key, secret = _ring(context).create(name, scope.value, graph)
    if command_line.of(context).as_json:
        output.print_json({**key_record(key), "key": secret})
        return
    output.out().print(secret)
    output.say(f"{key.id}: {_told(key)}; keep the key now, it is shown nowhere else")


@app.command("list")
def list_(context: typer.Context) -> None:
    """Every key, revoked ones included, without what opens."""
    keys = _ring(context).all()
    if command_line.of(context).as_json:
        output.print_json({"keys": [key_record(key) for key in keys]})
        return
    rows = [
        (key.id, key.name, key.scope, ", ".join(key.graphs or ("every graph",)), key.created_at)
        + (("revoked " + key.revoked_at,) if key.revoked_at else ("",))
        for key in keys
    ]
    output.out().print(output.table(("id", "name", "scope", "graphs", "made", ""), rows))


@app.command()
def revoke(context: typer.Context, key_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Take a key back. A running service refuses it from the next request on."""
    key = _ring(context).revoke(key_id)
    if command_line.of(context).as_json:
        output.print_json(key_record(key))
        return
    output.out().print(f"{key.id} ({key.name}) opens nothing any more")


def _ring(context: typer.Context) -> KeyRing:
    chosen = command_line.of(context)
    chosen.refuse_url()
    chosen.data.mkdir(parents=True, exist_ok=True)
    return KeyRing(chosen.data)


def _told(key: Key) -> str:
    return f"{key.scope}, {', '.join(key.graphs or ('every graph',))}"
