"""``dysk demo``: ask, change a fact, ask again, ask about the past."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dysk.answer import Answer
from dysk.cli import output, settings
from dysk.cli.ask import panel
from dysk.cli.errors import InputError

if TYPE_CHECKING:
    from dysk.client import Dysk

QUESTION = "What is the tallest building in the world?"
EARLIER = "2005"
"""A year in which the answer was another one."""
UPDATE = ("world", "tallest building", "Jeddah Tower")
"""Not so yet: the demo imagines that it opens today."""
_SOURCE = "imagined by dysk demo"


def register(app: typer.Typer) -> None:
    """Mount ``demo``."""
    app.command(rich_help_panel="Ask")(demo)


def demo(
    context: typer.Context,
    keep: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Keep the demo's data folder here.")
    ] = None,
) -> None:
    """Load the example graph, ask, change a fact, ask again, and ask about the past."""
    chosen = settings.of(context)
    today = datetime.now(UTC).date().isoformat()
    with _data_folder(keep) as folder, chosen.workspace(folder) as workspace:
        graph = workspace.graph("default")
        loaded = graph.import_lines(example_lines())
        output.say(f"{loaded.added} facts loaded into {folder}")
        with output.working("getting the models ready") as progress:
            workspace.warm(progress)
        steps = [_ask(graph, chosen, "before")]
        written = graph.add(*UPDATE, valid_from=today, source=_SOURCE)
        if not chosen.as_json:
            output.out().print("Now a fact changes (imagined, for the demo):", style="bold")
            output.print_receipt(written, as_json=False)
        steps.append(_ask(graph, chosen, "after"))
        steps.append(_ask(graph, chosen, "earlier", as_of=EARLIER))
    if chosen.as_json:
        record = {"question": QUESTION, "facts": loaded.added, "steps": steps}
        output.print_json({**record, "update": output.receipt_record(written)})
        return
    if keep is None:
        output.say("Now try: dysk demo --keep world.dysk, and then ask it questions of your own")
    else:
        output.say(f'Now try: dysk --data {keep} ask "What was the capital of Kazakhstan in 2020?"')


def example_lines() -> list[bytes]:
    """The lines of the example graph: beside the code in a wheel, else in the source tree."""
    packaged = files("dysk") / "data" / "world.jsonl"
    in_source_tree = Path(__file__).parents[2] / "examples" / "world.jsonl"
    found = packaged if packaged.is_file() else in_source_tree
    return found.read_bytes().splitlines()


@contextmanager
def _data_folder(keep: Path | None) -> Iterator[Path]:
    """The folder to keep, which must be new or empty, or a temporary one."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="dysk-demo-") as folder:
            yield Path(folder)
        return
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise InputError(f"{keep} exists already: name a new folder, so that the demo changes none")
    yield keep


def _ask(
    graph: Dysk, chosen: settings.Settings, step: str, as_of: str | None = None
) -> dict[str, Any]:
    with output.working("reading the graph and asking the model"):
        answer: Answer = graph.ask(QUESTION, as_of=as_of)
    if not chosen.as_json:
        output.out().print(panel(QUESTION, answer))
    return {"step": step, **answer.to_dict()}
