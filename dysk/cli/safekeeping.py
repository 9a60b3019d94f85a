"""The verbs that keep a graph safe: backup, restore, verify. None of them loads a model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from dysk.cli import output, settings
from dysk.cli.errors import InputError
from graph.sqlite_verify import Verification

_PANEL = "Look after it"


def register(app: typer.Typer) -> None:
    """Mount the verbs."""
    for verb in (backup, restore, verify):
        app.command(rich_help_panel=_PANEL)(verb)


def backup(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where to: a folder that is not there yet.")],
) -> None:
    """Copy every graph, or the one named with --graph, while others read and write."""
    from dysk.backup import back_up

    chosen = settings.of(context)
    with output.working("backing up") as tell:
        made = back_up(_data(chosen), folder, _graph(chosen), tell)
    if chosen.as_json:
        record = {"folder": str(folder), "graphs": [asdict(each) for each in made]}
        output.print_json(record)
        return
    for each in made:
        output.out().print(f"{each.graph}: {each.facts} facts, revision {each.revision}")
    output.say(f"backed up to {folder}")


def restore(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A folder that `backup` made.")],
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="A new name for the one graph.")
    ] = None,
) -> None:
    """Bring back every graph of a backup, or the one named with --graph; none is overwritten."""
    from dysk.backup import restore as bring_back

    chosen = settings.of(context)
    with output.working("restoring") as tell:
        restored = bring_back(folder, _data(chosen), _graph(chosen), name=name, progress=tell)
    if chosen.as_json:
        graphs = [
            {"graph": graph, "revision": each.revision, "facts": each.facts}
            for graph, each in restored.items()
        ]
        output.print_json({"data": str(chosen.data), "graphs": graphs})
        return
    for graph, each in restored.items():
        output.out().print(f"{graph}: {each.facts} facts, revision {each.revision}")
    output.say(f"restored to {chosen.data}")


def verify(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(help="A folder that `backup` made; default: the data folder.")
    ] = None,
) -> None:
    """Check that every graph, or the one named with --graph, is whole; exits 1 when one is not."""
    from dysk.soundness import verify_backup, verify_data

    chosen = settings.of(context)
    with output.working("checking") as tell:
        if folder is None:
            found = verify_data(_data(chosen), _graph(chosen), tell)
        else:
            found = verify_backup(folder, _graph(chosen), tell)
    sound = not any(each.problems for each in found.values())
    if chosen.as_json:
        graphs = [{"graph": graph, **asdict(each)} for graph, each in found.items()]
        output.print_json({"ok": sound, "graphs": graphs})
    else:
        for graph, each in found.items():
            _show(graph, each)
    raise typer.Exit(0 if sound else 1)


def _show(graph: str, found: Verification) -> None:
    console = output.out()
    counts = f"{found.facts} facts, {found.versions} versions, revision {found.revision}"
    console.print(f"{graph}: {'not whole' if found.problems else f'whole: {counts}'}")
    for problem in found.problems:
        console.print(f"  {problem.check}: {problem.detail}")
    if found.unscrubbed:
        console.print(
            "  bytes of erased facts are still there: they go when the programs that read the file "
            "from before have ended, and dysk next opens it"
        )


def _data(chosen: settings.Settings) -> Path:
    """The data folder, which holds the graphs: those of a server are for its own tools to keep."""
    chosen.refuse_url()
    if chosen.graph_url is not None:
        raise InputError(
            f"the graphs are on {chosen.graph_url}: back them up and check them with that server's "
            "tools, such as neo4j-admin"
        )
    return chosen.data


def _graph(chosen: settings.Settings) -> str | None:
    """The graph, if one was named: a backup without is of all."""
    return None if chosen.origins["graph"] == "default" else chosen.graph
