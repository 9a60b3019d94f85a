"""``dysk bench``: run, scale, edits, smoke, report, compare, convert, speed; from a source tree."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.compare import compare as compare_runs
from benchmarks.compare import markdown as comparison_markdown
from benchmarks.compare import parse_condition, read_verdicts
from benchmarks.formats.convert import Format
from benchmarks.formats.convert import convert as convert_file
from benchmarks.report import markdown, markdown_of_runs
from benchmarks.results import Results, read_results, summarise_system, write_results
from benchmarks.scale.cli import scale
from benchmarks.schema import BenchmarkError, content_sha256, read_questions
from benchmarks.speed.cli import app as speed
from benchmarks.systems import DEFAULT_SYSTEMS, choose_systems
from dysk.cli import output, settings

BASELINE = Path(__file__).parent / "results" / "smoke.json"
_MOST_WORKERS = 4
"""Each holds models of about 1.2 GB."""

app = typer.Typer(help="Measure answers and speed.", no_args_is_help=True, add_completion=False)
app.add_typer(speed, name="speed")
app.command()(scale)


@app.command()
def run(
    context: typer.Context,
    facts: Annotated[Path, typer.Option(help="Facts, JSON Lines, plain or .gz.")],
    questions: Annotated[Path, typer.Option(help="Questions, JSON Lines, plain or .gz.")],
    out: Annotated[Path, typer.Option(help="Folder for results.json and samples.jsonl.")],
    systems: Annotated[
        str, typer.Option(help="Comma-separated; rag is rag1 and rag8.")
    ] = DEFAULT_SYSTEMS,
    limit: Annotated[int | None, typer.Option(help="Ask a sample of so many questions.")] = None,
    seed: Annotated[int, typer.Option(help="Draws the sample.")] = 0,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder to keep the loaded graph in, or to reuse; else a temporary one."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that ask, one thread each; 1 asks in this one."),
    ] = None,
) -> None:
    """Ask every system the same questions over the same facts, and score what they say."""
    from benchmarks.environment import environment, room
    from benchmarks.load import load_facts
    from benchmarks.rivals.ring import Ring
    from benchmarks.run import draw, record
    from benchmarks.run import run as ask_here
    from benchmarks.workers import Job, ask_in_processes

    chosen = choose_systems(systems)
    every = read_questions(questions)
    drawn = draw(every, limit, seed)
    facts_sha256 = content_sha256(facts)
    folder = _folder(out)
    selected = settings.of(context)
    processes = min(workers or os.cpu_count() or 1, len(drawn), _MOST_WORKERS)
    with _data_folder(data) as place, selected.workspace(place) as workspace, _progress() as bars:
        graph = workspace.graph(f"bench-{facts_sha256[:12]}", create=True)
        loading = bars.add_task("facts", total=None)
        loaded = load_facts(graph, facts, lambda: bars.advance(loading))
        warming = bars.add_task("models", total=1)
        graph.syncer().catch_up(loaded.revision)
        if processes == 1:
            workspace.warm()
        bars.advance(warming)
        asking = bars.add_task("asks", total=len(drawn) * len(chosen))

        def advance() -> None:
            bars.advance(asking)

        if processes == 1:
            samples = ask_here(
                Ring(graph, workspace),
                drawn,
                chosen,
                revision=loaded.revision,
                folder=folder,
                progress=advance,
            )
        else:
            job = Job(
                place,
                graph.name,
                loaded.revision,
                tuple(chosen),
                selected.model,
                selected.encoder,
            )
            samples = record(ask_in_processes(job, drawn, processes), chosen, folder, advance)
        taken = room(place, loaded.added + loaded.unchanged)
    of_questions = {
        "name": questions.name,
        "sha256": content_sha256(questions),
        "total": len(every),
        "asked": len(drawn),
    }
    results = Results(
        systems={name: summarise_system(of_system) for name, of_system in samples.items()},
        config={
            "facts": {"name": facts.name, "sha256": facts_sha256, **asdict(loaded)},
            "questions": of_questions,
            "systems": {system.name: asdict(system) for system in chosen},
            "limit": limit,
            "seed": seed,
            "workers": processes,
            "room": taken,
        },
        environment=environment(
            selected.model, selected.encoder, threads=None if processes == 1 else 1
        ),
    )
    write_results(results, folder)
    _show(results, selected)


@app.command()
def edits(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder; each stage gets one of its own in it.")],
    counts: Annotated[str, typer.Option(help="Updates in all, after which to ask.")] = "1,10,100",
    systems: Annotated[str, typer.Option(help="Comma-separated.")] = "closed_book,rag1,attention",
    seed: Annotated[int, typer.Option(help="Invents the facts and draws questions.")] = 0,
) -> None:
    """Update invented facts one by one, then retract and erase some: what is known, what breaks?"""
    from benchmarks.tasks.run import run_edits

    chosen = choose_systems(systems)
    try:
        steps = [int(count) for count in counts.split(",")]
    except ValueError as error:
        raise BenchmarkError(f"--counts {counts} must be numbers, as 1,10,100") from error
    selected, folder = settings.of(context), _folder(out)
    with _data_folder(None) as place, selected.workspace(place) as workspace, _progress() as bars:
        task = bars.add_task("asks", total=None)
        stages = run_edits(
            workspace,
            chosen,
            counts=steps,
            seed=seed,
            folder=folder,
            models=(selected.model, selected.encoder),
            progress=lambda: bars.advance(task),
        )
    if selected.as_json:
        output.print_json([asdict(results) for results in stages.values()])
    else:
        typer.echo(markdown_of_runs(list(stages), list(stages.values())), nl=False)


@app.command()
def smoke(
    context: typer.Context,
    baseline: Annotated[Path, typer.Option(help="Ratios to hold up against.")] = BASELINE,
    write: Annotated[
        bool, typer.Option("--write", help="Keep the ratios as the baseline instead.")
    ] = False,
) -> None:
    """Ask the example graph a few questions; exit status 1 when a ratio fell by more than 15 %."""
    from benchmarks import smoke as smoking
    from benchmarks.load import load_facts
    from benchmarks.rivals.ring import Ring
    from benchmarks.speed.cli import WORLD

    before = None if write else smoking.read_baseline(baseline)
    questions = read_questions(smoking.QUESTIONS)
    selected = settings.of(context)
    with _data_folder(None) as place, selected.workspace(place) as workspace, _progress() as bars:
        graph = workspace.graph("bench-smoke", create=True)
        loaded = load_facts(graph, WORLD)
        ring = Ring(graph, workspace)
        task = bars.add_task("questions", total=None)
        now = smoking.ratios(
            ring,
            ring.far_reaching,
            graph,
            questions,
            loaded.revision,
            progress=lambda: bars.advance(task),
        )
    fallen = [] if before is None else smoking.fallen(before, now)
    if selected.as_json:
        output.print_json({"ratios": now, "baseline": before, "fallen": fallen})
    else:
        typer.echo("".join(f"{value:7.3f}  {name}\n" for name, value in now.items()), nl=False)
        typer.echo("".join(f"FELL {each}\n" for each in fallen), nl=False)
    if write:
        smoking.write_baseline(baseline, now)
    if fallen:
        raise typer.Exit(1)


@app.command()
def report(
    context: typer.Context,
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="The --out folders of runs.")
    ],
) -> None:
    """Print the results of one or several runs as Markdown tables; runs are never averaged."""
    read = [read_results(folder) for folder in folders]
    if len(read) == 1:
        _show(read[0], settings.of(context))
    elif settings.of(context).as_json:
        output.print_json([asdict(results) for results in read])
    else:
        typer.echo(markdown_of_runs([folder.name for folder in folders], read), nl=False)


@app.command()
def compare(
    context: typer.Context,
    before: Annotated[Path, typer.Argument(metavar="A", help="The --out folder of a run.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="Of a later run, same questions.")],
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            help="A change from A to B that fails, as 'accuracy<-0.02', 'rag8:f1<-0.05' or "
            "'ttft_ms.p50>+15%'. May be given several times."
        ),
    ] = None,
) -> None:
    """What changed from run A to run B; exit status 1 when a --fail-if condition is met."""
    conditions = [parse_condition(text) for text in fail_if or ()]
    old, new = read_verdicts(before), read_verdicts(after)
    found = compare_runs(
        read_results(before),
        read_results(after),
        conditions,
        verdicts=None if old is None or new is None else (old, new),
    )
    if settings.of(context).as_json:
        output.print_json(asdict(found))
    else:
        typer.echo(comparison_markdown(found), nl=False)
    if found.failures:
        raise typer.Exit(1)


@app.command()
def harness(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The --out folder of a run.")],
    out: Annotated[Path, typer.Option(help="Folder; each system gets one of its own in it.")],
) -> None:
    """Write a run in the shape of lm-evaluation-harness: a model a system, a task a kind."""
    from benchmarks.harness import export

    written = export(read_results(folder), folder, out)
    typer.echo(f"{len(written)} systems are in {out}", err=True)


@app.command()
def convert(
    format: Annotated[Format, typer.Argument(help="Who published the file.")],
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file, plain or .gz.")],
    out: Annotated[Path, typer.Option(help="Folder for facts.jsonl and questions.jsonl.")],
) -> None:
    """Turn a published data set into the two files that `bench run` reads."""
    facts, questions = convert_file(format, path, out)
    typer.echo(f"{facts:,} facts and {questions:,} questions are in {out}", err=True)


@app.command()
def figures(
    write: Annotated[
        bool, typer.Option("--write", help="Put them into README instead of printing them.")
    ] = False,
) -> None:
    """Make the figures in README from benchmarks/results; a test checks that they agree."""
    from benchmarks.figures import PAGE, figures, placed

    if write:
        PAGE.write_text(placed(PAGE.read_text("utf-8"), figures()), "utf-8")
    else:
        typer.echo(figures(), nl=False)


def _show(results: Results, selected: settings.Settings) -> None:
    if selected.as_json:
        output.print_json(asdict(results))
    else:
        typer.echo(markdown(results), nl=False)


@contextmanager
def _data_folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="dysk-bench-") as folder:
        yield Path(folder)


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchmarkError(f"cannot write to {path}: {error.strerror}") from error
    return path


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
