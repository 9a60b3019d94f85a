"""``dysk bench speed``: how fast are asks, writes, the store, retrieval and the operator?"""

from __future__ import annotations

import json
import math
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks.schema import BenchmarkError
from benchmarks.speed import load as loading
from benchmarks.speed import soak as soaking
from benchmarks.speed import store as storing
from benchmarks.speed import ttft as first_token
from benchmarks.speed import write as writing
from benchmarks.systems import CANDIDATES
from dysk.cli import output, settings

if TYPE_CHECKING:
    from dysk.client import Dysk
    from dysk.engine import Engine
    from dysk.workspace import Workspace

WORLD = Path(__file__).parents[2] / "examples" / "world.jsonl"

app = typer.Typer(
    help="Time the first token, a pass, the write, the store, retrieval and the operator.",
    no_args_is_help=True,
)
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
        drawn = first_token.questions_from(graph, questions, seed)
        asking = bars.add_task("questions", total=len(drawn))
        result = first_token.measure(
            _far_reaching(graph, workspace),
            drawn,
            candidates=candidates,
            rounds=rounds,
            progress=lambda: bars.advance(asking),
        )
    _show(first_token.table(result), asdict(result), out, selected)


@app.command()
def write(
    context: typer.Context,
    count: Annotated[int, typer.Option(min=1, help="Single-fact writes.")] = 200,
    out: Out = None,
) -> None:
    """A durable single-fact write through the service, and whether the next ask knows of it."""
    selected = settings.of(context)
    with tempfile.TemporaryDirectory(prefix="dysk-bench-") as folder, _progress() as bars:
        task = bars.add_task("writes", total=count)
        with writing.served(Path(folder), _model_options(selected)) as client:
            result = writing.measure(client, count, progress=lambda: bars.advance(task))
    _show(writing.table(result), asdict(result), out, selected)
    if not result.answered:
        raise typer.Exit(1)


@app.command()
def load(
    context: typer.Context,
    askers: Annotated[int, typer.Option(min=1, help="Who ask at once.")] = 32,
    asks: Annotated[int, typer.Option(min=1, help="Questions, each asked alone first.")] = 96,
    writes: Annotated[float, typer.Option(min=1, help="Single-fact writes a second.")] = 200,
    seconds: Annotated[float, typer.Option(min=1, help="How long they are written.")] = 30,
    seed: Annotated[int, typer.Option(help="Invents the facts.")] = 0,
    out: Out = None,
) -> None:
    """Askers one by one, then at once, then beside writes at a fixed rate; exits 1 where any of
    them failed, or an answer was another at once.
    """
    selected = settings.of(context)
    with tempfile.TemporaryDirectory(prefix="dysk-bench-") as folder, _progress() as bars:
        task = bars.add_task("starting", total=None)
        with writing.served(Path(folder), _model_options(selected)) as client:
            result = loading.measure(
                str(client.base_url),
                askers=askers,
                asks=asks,
                writes=writes,
                seconds=seconds,
                seed=seed,
                progress=lambda stage: bars.update(task, description=stage),
            )
    _show(loading.table(result), asdict(result), out, selected)
    if not result.sound:
        raise typer.Exit(1)


@app.command()
def soak(
    context: typer.Context,
    minutes: Annotated[float, typer.Option(min=1, help="How long.")] = 30,
    asks: Annotated[float, typer.Option(min=0.01, help="Asks a second.")] = 1.0,
    writes: Annotated[float, typer.Option(min=0.01, help="Single-fact writes a second.")] = 10.0,
    followers: Annotated[int, typer.Option(min=0, help="Followers of the feed.")] = 4,
    towns: Annotated[int, typer.Option(min=1, help="Towns, each with one of four mayors.")] = 20,
    seed: Annotated[int, typer.Option(help="Invents the facts.")] = 0,
    out: Out = None,
) -> None:
    """A steady load for long: memory, errors, stale answers and gaps; exits 1 for any of the last
    three, or memory that grew by more than 5 %.
    """
    selected = settings.of(context)
    with tempfile.TemporaryDirectory(prefix="dysk-bench-") as folder, _progress() as bars:
        task = bars.add_task("soaking", total=minutes * 60)
        with writing.served(Path(folder), _model_options(selected)) as client:
            result = soaking.soak(
                str(client.base_url),
                minutes=minutes,
                asks=asks,
                writes=writes,
                followers=followers,
                towns=towns,
                seed=seed,
                progress=lambda seconds: bars.update(task, completed=seconds),
            )
    _show(soaking.table(result), asdict(result), out, selected)
    if not result.sound or result.memory_growth_percent > soaking.MOST_GROWTH:
        raise typer.Exit(1)


@app.command()
def store(
    context: typer.Context,
    facts: Annotated[int, typer.Option(min=storing.BATCH, help="Facts to load.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Invents the facts.")] = 0,
    out: Out = None,
) -> None:
    """Import very many facts into a store, then write to it and read from it. Needs no model."""
    # Drawn seldom, since drawing takes the interpreter from what is timed.
    bars = Progress(console=Console(stderr=True), refresh_per_second=1)
    with tempfile.TemporaryDirectory(prefix="dysk-bench-") as folder, bars:
        task = bars.add_task("facts", total=facts)
        result = storing.measure(
            Path(folder), facts, seed=seed, progress=lambda line: bars.update(task, completed=line)
        )
    _show(storing.table(result), asdict(result), out, settings.of(context))


@app.command()
def retrieval(
    context: typer.Context,
    facts: Annotated[list[Path], typer.Option(help="A fact file; may be given again.")],
    questions: Annotated[list[Path], typer.Option(help="Its questions; one for each --facts.")],
    count: Annotated[int, typer.Option(min=1_000, help="Facts, at last.")] = 1_000_000,
    encoded: Annotated[int, typer.Option(min=1, help="Subjects that the encoder makes.")] = 6_000,
    asked: Annotated[int, typer.Option(min=2, help="Questions at each size.")] = 200,
    data: Annotated[
        Path | None, typer.Option(help="Folder to keep the loaded graphs in, or to reuse.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="The growth as a picture; gets the suffixes .png and .svg.")
    ] = None,
    out: Out = None,
) -> None:
    """The coarse stage as a graph grows from 1,000 facts, tenfold each time. On one thread."""
    import torch

    from benchmarks.growth_plot import draw
    from benchmarks.speed import retrieval as retrieving

    if len(facts) != len(questions):
        raise BenchmarkError("give as many --questions as --facts: each file has its questions")
    torch.set_num_threads(1)
    selected = settings.of(context)
    with (
        tempfile.TemporaryDirectory(prefix="dysk-bench-") as folder,
        selected.workspace(Path(folder)) as workspace,
        _progress() as bars,
    ):
        task = bars.add_task("starting", total=None)
        steps = list(
            retrieving.measure(
                data or Path(folder),
                workspace.encoder(),
                list(zip(facts, questions, strict=True)),
                retrieving.sizes_to(count),
                encoded=encoded,
                asked=asked,
                progress=lambda stage: bars.update(task, description=stage),
            )
        )
    if plot is not None:
        draw(plot, [step.facts for step in steps], retrieving.panels(steps))
    result = {"steps": [asdict(step) for step in steps]}
    _show(retrieving.table(steps), result, out, selected)


@app.command()
def op(
    context: typer.Context,
    seconds: Annotated[float, typer.Option(min=0.01, help="For each setting.")] = 1.5,
    arena_gb: Annotated[
        float, typer.Option(min=0.01, help="Keys and values of the arenas beyond the cache.")
    ] = 1.0,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Beside one thread; else as many as torch takes.")
    ] = None,
    flex: Annotated[
        bool, typer.Option(help="FlexAttention too, compiled for each shape: takes long.")
    ] = False,
    out: Out = None,
) -> None:
    """The operator against other ways to read the same facts. Needs no model."""
    import torch

    from benchmarks.speed import op as operator
    from benchmarks.speed.op_report import table
    from benchmarks.speed.op_rivals import RIVALS

    contenders: dict[str, operator.Contender] = dict(RIVALS)
    if flex:
        from benchmarks.speed.op_flex import flex as flex_attention

        contenders["FlexAttention"] = flex_attention
    counts = sorted({1, threads or torch.get_num_threads()})
    with _progress() as bars:
        task = bars.add_task("settings", total=operator.settings(counts))
        result = operator.measure(
            contenders,
            seconds=seconds,
            arena_gb=arena_gb,
            threads=counts,
            progress=lambda: bars.advance(task),
        )
    _show(table(result), asdict(result), out, settings.of(context))


@app.command()
def step(
    context: typer.Context,
    candidates: Annotated[int, typer.Option(min=9, help="Facts to choose from.")] = 64,
    tokens: Annotated[int, typer.Option(min=2, help="Of the question.")] = 32,
    rounds: Annotated[int, typer.Option(min=2, help="Passes of each kind.")] = 60,
    out: Out = None,
) -> None:
    """A pass of the model that reads facts, against the same pass of the bare model."""
    from transformers import AutoModelForCausalLM

    from benchmarks.speed import step as stepping
    from dysk.models import find_language_model

    selected = settings.of(context)
    with (
        tempfile.TemporaryDirectory(prefix="dysk-bench-") as folder,
        selected.workspace(Path(folder)) as workspace,
        _progress() as bars,
    ):
        task = bars.add_task("rounds", total=rounds + 1)
        bare = AutoModelForCausalLM.from_pretrained(
            find_language_model(selected.model), dtype="float32", local_files_only=True
        )
        result = stepping.measure(
            bare,
            workspace.model(),
            [f"Fact {number} is known of place {number}." for number in range(candidates)],
            tokens=tokens,
            rounds=rounds,
            progress=lambda: bars.advance(task),
        )
    _show(stepping.table(result), asdict(result), out, selected)


def _far_reaching(graph: Dysk, workspace: Workspace) -> Engine:
    """An engine that weighs all candidates: the ordinary one leaves out those far behind the best.

    That would have RAG read a handful of facts where 32 were asked for, and attention likewise.
    """
    from dysk.engine import Engine

    return Engine(
        graph.store,
        graph.syncer(),
        workspace.encoder(),
        workspace.model(),
        workspace.heads(),
        reach=math.inf,
    )


def _model_options(selected: settings.Settings) -> tuple[str, ...]:
    """What stands before the verb, for a service with the models that were chosen."""
    chosen = (("--model", selected.model), ("--encoder", selected.encoder))
    return tuple(word for name, value in chosen if value for word in (name, value))


def _show(text: str, result: dict[str, Any], out: Path | None, selected: settings.Settings) -> None:
    """Print the result, and write it with its environment to ``out``. Raises BenchmarkError."""
    from benchmarks.environment import environment

    record = {"result": result, "environment": environment(selected.model, selected.encoder)}
    if selected.as_json:
        output.print_json(record)
    else:
        typer.echo(text, nl=False)
    if out is None:
        return
    try:
        out.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise BenchmarkError(f"cannot write {out}: {error.strerror}") from error


def _progress() -> Progress:
    return Progress(console=Console(stderr=True))
