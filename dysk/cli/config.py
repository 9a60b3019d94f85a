"""``dysk config show``: the effective settings, and where each comes from."""

from __future__ import annotations

import os

import typer

from dysk.cli import output, settings
from dysk.models import DEFAULT_ENCODER, DEFAULT_MODEL, cache_folder

app = typer.Typer(no_args_is_help=True, help="Show the settings that are in force.")


def register(root: typer.Typer) -> None:
    """Mount ``config`` under the root command."""
    root.add_typer(app, name="config", rich_help_panel="Look after it")


@app.callback()
def group() -> None:
    """Show the settings that are in force."""


@app.command()
def show(context: typer.Context) -> None:
    """Every setting, its value, and the option, variable or default that it comes from."""
    chosen = settings.of(context)
    values = {
        "data": str(chosen.data),
        "graph": chosen.graph,
        "output": chosen.output.value,
        "model": chosen.model or DEFAULT_MODEL,
        "encoder": chosen.encoder or DEFAULT_ENCODER,
        "graph_url": chosen.graph_url or "",
        "url": chosen.url or "",
        "cache": str(cache_folder()),
    }
    cached = "DYSK_CACHE" if os.environ.get("DYSK_CACHE") else "default"
    origins = {**chosen.origins, "cache": cached}
    if chosen.as_json:
        record = {name: {"value": value, "from": origins[name]} for name, value in values.items()}
        output.print_json(record)
        return
    rows = [(name, value, origins[name]) for name, value in values.items()]
    output.out().print(output.table(("setting", "value", "from"), rows))
