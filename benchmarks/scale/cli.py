"""``dysk bench scale``."""

from __future__ import annotations

import tempfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.environment import environment
from benchmarks.run import draw
from benchmarks.schema import content_sha256, read_questions
from benchmarks.speed.retrieval import sizes_to
from benchmarks.systems import choose_systems
from dysk.cli import settings


def scale(
    context: typer.Context,
    facts: Annotated[Path, typer.Option(help="Facts, JSON Lines, plain or .gz.")],
    questions: Annotated[Path, typer.Option(help="Questions, JSON Lines, plain or .gz.")],
    out: Annotated[Path, typer.Option(help="Folder for results, report and samples.")],
    distractors: Annotated[
        list[Path] | None, typer.Option(help="More facts, before made-up ones; several times.")
    ] = None,
    count: Annotated[int, typer.Option(min=1_000, help="Facts, at last.")] = 1_000_000,
    limit: Annotated[int, typer.Option(min=1, help="Questions, the same at each size.")] = 100,
    systems: Annotated[str, typer.Option(help="Comma-separated, with attention.")] = "attention",
    seed: Annotated[int, typer.Option(help="Draws the questions.")] = 0,
    data: Annotated[
        Path | None, typer.Option(help="Folder to keep the loaded graphs in, or to reuse.")
    ] = None,
    plot: Annotated[bool, typer.Option(help="Draw scale.png and scale.svg; the extra plots.")] = (
        False
    ),
) -> None:
    """Answers, times, memory and disk as distractors crowd a graph of 1,000 to a million facts."""
    from benchmarks.scale import report, study

    drawn = draw(read_questions(questions), limit, seed)
    names = tuple(dict.fromkeys(["attention", *(s.name for s in choose_systems(systems))]))
    selected = settings.of(context)
    config = {
        "questions": {"name": questions.name, "sha256": content_sha256(questions)},
        "facts_sha256": content_sha256(facts),
        "systems": {name: {"name": name} for name in names},
        "asked": len(drawn),
        "seed": seed,
    }
    made_on = environment(selected.model, selected.encoder, threads=1)
    console, steps = Console(stderr=True), []
    with ExitStack() as stack:
        place = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dysk-bench-")))
        for size in sizes_to(count):
            job = study.Job(
                size,
                facts,
                tuple(drawn),
                tuple(distractors or ()),
                names,
                place,
                out,
                selected.model,
                selected.encoder,
            )
            console.print(f"{size:,} facts")
            # A process for each size, so that memory is that of one graph.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                steps.append(pool.submit(study.measure, job).result())
            report.write(steps, config, made_on, out)
    if plot:
        report.draw_growth(steps, out)
    typer.echo(report.markdown(steps, made_on), nl=False)
