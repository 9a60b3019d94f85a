"""``dysk bench speed``: ttft and write."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.schema import BenchmarkError
from benchmarks.speed import ttft as first_token
from benchmarks.speed import write as writing
from benchmarks.systems import CANDIDATES
from dysk.cli import settings

WORLD = Path(__file__).parents[2] / "examples" / "world.jsonl"

app = typer.Typer(help="Time the first token and the write.", no_args_is_help=True)
Out = Annotated[Path | None, typer.Option(help="File for the result as JSON.")]


@app.command()
def ttft(
    context: typer.Context,
    candidates: Annotated[int, typer.Option(min=1, help="Facts to choose from.")] = CANDIDATES,
    facts: Annotated[Path, typer.Option(help="Facts, JSON Lines, plain or .gz.")] = WORLD,
    questions: Annotated[int, typer.Option(min=1, help="Questions drawn from the facts.")] = 20,
    rounds: Annotated[int, typer.Option(min=1, help="Times that each is asked.")] = 5,
    seed: Annotated[int, typer.Option(help="Draws the questions.")] = 0,
    out: Out = None,
) -> None:
    """Time to first token: closed book, attention, and RAG over the same facts."""
    from benchmarks.load import load_facts

    selected = settings.of(context)
    with (
        tempfile.TemporaryDirectory(prefix="dysk-bench-") as folder,
        selected.workspace(Path(folder)) as workspace,
        _progress() as bars,
    ):
        graph = workspace.graph("bench", create=True)
        load_facts(graph, facts)
        workspace.warm()
        drawn = first_token.questions_from(graph, questions, seed)
        asking = bars.add_task("questions", total=len(drawn))
        result = first_token.measure(
            graph,
            drawn,
            candidates=candidates,
            rounds=rounds,
            progress=lambda: bars.advance(asking),
        )
    typer.echo(first_token.table(result), nl=False)
    _write(out, asdict(result), selected)


@app.command()
def write(
    context: typer.Context,
    count: Annotated[int, typer.Option(min=1, help="Single-fact writes.")] = 200,
    out: Out = None,
) -> None:
    """A durable single-fact write through the service, and whether the next ask knows of it."""
    selected = settings.of(context)
    chosen = (("--model", selected.model), ("--encoder", selected.encoder))
    options = tuple(word for name, value in chosen if value for word in (name, value))
    with tempfile.TemporaryDirectory(prefix="dysk-bench-") as folder, _progress() as bars:
        task = bars.add_task("writes", total=count)
        with writing.served(Path(folder), options) as client:
            result = writing.measure(client, count, progress=lambda: bars.advance(task))
    typer.echo(writing.table(result), nl=False)
    _write(out, asdict(result), selected)
    if not result.answered:
        raise typer.Exit(1)


def _write(out: Path | None, result: dict[str, Any], selected: settings.Settings) -> None:
    from benchmarks.environment import environment

    if out is None:
        return
    record = {"result": result, "environment": environment(selected.model, selected.encoder)}
    try:
        out.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise BenchmarkError(f"cannot write {out}: {error.strerror}") from error


def _progress() -> Progress:
    return Progress(console=Console(stderr=True))
