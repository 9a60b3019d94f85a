"""``dysk heads``: find the attention heads by which the model chooses among facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dysk.cli import output, settings
from dysk.errors import ModelUnavailable

if TYPE_CHECKING:
    from dysk.attention.heads import HeadsReport
    from dysk.language_model import LanguageModel

_DEFAULT_QUESTIONS = 120
_FEWEST_QUESTIONS = 20
"""Half of them choose and half report: fewer than ten say nothing either way."""


def register(app: typer.Typer) -> None:
    """Mount ``heads``."""
    app.command(rich_help_panel="Look after it")(heads)


def heads(
    context: typer.Context,
    questions: Annotated[
        int, typer.Option(min=_FEWEST_QUESTIONS, help="Invented questions to find them with.")
    ] = _DEFAULT_QUESTIONS,
    seed: Annotated[int, typer.Option(help="Another seed invents other questions.")] = 0,
) -> None:
    """Find the retrieval heads of the model in use, and keep them for the asks to come.

    Asks find them by themselves for a model that has none yet; more questions find better ones.
    """
    chosen = settings.of(context)
    with chosen.workspace() as workspace:
        with output.working("getting the models ready") as progress:
            encoder, model = workspace.encoder(progress), workspace.model(progress)
        from dysk.attention.heads import find_heads

        with bar("asking") as advance:
            report = find_heads(model, encoder, questions=questions, seed=seed, progress=advance)
    path = _save(model, report)
    if chosen.as_json:
        output.print_json(
            {
                "model": model.name,
                "heads": [list(head) for head in report.heads.heads],
                "coarse_weight": report.heads.coarse_weight,
                "questions": report.questions,
                "accuracy": {
                    "coarse": report.coarse,
                    "alone": report.alone,
                    "fused": report.fused,
                },
                "file": str(path),
            }
        )
        return
    named = ", ".join(f"{layer}.{head}" for layer, head in report.heads.heads)
    rows = [
        ("model", model.name),
        ("heads (layer.head)", named),
        ("λ, weight of the coarse score", f"{report.heads.coarse_weight:g}"),
        ("right by coarse score alone", f"{report.coarse:.0%}"),
        ("right by the heads alone", f"{report.alone:.0%}"),
        ("right by both", f"{report.fused:.0%}"),
        ("kept in", str(path)),
    ]
    output.out().print(output.table(("", ""), rows))
    output.say(
        f"“right”: the fact that answers came first of 16, on {report.questions} invented "
        "questions that chose neither the heads nor λ"
    )


@contextmanager
def bar(step: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr where that is a terminal, moved by (done, in all)."""
    columns = (TextColumn(step), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = output.err()
    shown = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with shown as progress:
        task = progress.add_task(step, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _save(model: LanguageModel, report: HeadsReport) -> Path:
    from dysk.attention.heads import save
    from dysk.models import cache_folder

    try:
        return save(model, report)
    except OSError as error:
        raise ModelUnavailable(
            f"cannot keep the heads in {cache_folder()}: {error.strerror}. Free some space or "
            "point DYSK_CACHE at a folder that can be written"
        ) from error
