"""The ``dysk`` command: global options, the verbs, and the way errors leave it.

Nothing here or in the verbs' modules imports torch, transformers or faiss until a verb needs them,
so that writes and ``--help`` stay quick. Verbs of the layers above (``serve``, ``bench``) come in
through entry points: dysk never imports upwards (docs/adr/0004-cli-and-layers.md).
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from platformdirs import user_data_path
from typer.core import TyperGroup

from dysk.cli import ask, config, demo, doctor, facts, files, heads, reading, safekeeping, train
from dysk.cli.errors import report
from dysk.cli.settings import Output, Settings, origins
from dysk.errors import DyskError
from graph.errors import GraphError

COMMANDS_GROUP = "dysk.commands"
"""Entry-point group whose members are typer apps, each mounted under its own name."""


class Root(TyperGroup):
    """The command group: mounts contributed verbs when they are asked for, and reports errors."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Own verbs in the order of their registration, then the contributed ones."""
        return [*super().list_commands(ctx), *_contributions()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A verb by name, contributed ones loaded now."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in (contributions := _contributions()):
            return own
        command: Any = typer.main.get_command(contributions[cmd_name].load())
        command.name = cmd_name
        # typer takes the verb for a whole program and adds options that install its completion
        command.params = [each for each in command.params if "completion" not in each.name]
        command.rich_help_panel = "Serve and measure"
        return command

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; an error raised on purpose becomes a sentence and an exit status."""
        try:
            return super().invoke(ctx)
        except (GraphError, DyskError) as error:
            as_json = isinstance(ctx.obj, Settings) and ctx.obj.as_json
            raise typer.Exit(report(error, as_json=as_json)) from None


app = typer.Typer(
    name="dysk",
    cls=Root,
    help="A live temporal knowledge graph that a frozen language model reads.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dysk {_version()}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    data: Annotated[
        Path,
        typer.Option(
            envvar="DYSK_DATA",
            default_factory=lambda: user_data_path("dysk"),
            show_default="the user's data folder",
            help="Folder that holds the graphs.",
        ),
    ],
    graph: Annotated[str, typer.Option(help="Graph to work on.")] = "default",
    output: Annotated[Output, typer.Option(help="Form of the results on stdout.")] = Output.text,
    model: Annotated[
        str | None,
        typer.Option(envvar="DYSK_MODEL", help="Language model: a folder, .gguf file or hub id."),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(envvar="DYSK_ENCODER", help="Sentence encoder: a folder or hub id."),
    ] = None,
    graph_url: Annotated[
        str | None,
        typer.Option(
            envvar="DYSK_GRAPH_URL",
            help="Neo4j server that holds the graphs instead, such as bolt://127.0.0.1:7687; "
            "NEO4J_PASSWORD in the environment.",
        ),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            envvar="DYSK_URL",
            help="Work on a running service instead, such as http://127.0.0.1:8000; DYSK_API_KEY "
            "in the environment if it has keys.",
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options before the verb hold for every verb."""
    context.obj = Settings(
        data=data.expanduser(),
        graph=graph,
        output=output,
        model=model,
        encoder=encoder,
        graph_url=graph_url,
        url=url,
        api_key=os.environ.get("DYSK_API_KEY") or None,
        origins=origins(context),
    )


for _verbs in (demo, ask, reading, facts, files, heads, train, safekeeping, doctor, config):
    _verbs.register(app)


def main() -> None:
    """Entry point of the ``dysk`` console script."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # facts are, whatever the terminal's locale
    app(prog_name="dysk")


def _contributions() -> dict[str, EntryPoint]:
    """Verbs of installed packages whose module is there: ``benchmarks`` is in no wheel."""
    return {
        entry.name: entry for entry in entry_points(group=COMMANDS_GROUP) if _exists(entry.module)
    }


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _version() -> str:
    try:
        return version("dysk")
    except PackageNotFoundError:
        return "(not installed: run from a source tree)"
