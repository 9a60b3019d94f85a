"""``dysk train``: teach abstention for the encoder in use, from invented graphs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dysk.cli import output, settings
from dysk.cli.heads import bar
from dysk.errors import ModelUnavailable

if TYPE_CHECKING:
    from dysk.calibration import Calibration
    from dysk.retrieval.encoder import TextEncoder
    from dysk.training import Report

_DEFAULT_GRAPHS = 12
_FEWEST_GRAPHS = 8
"""A quarter of them only reports: fewer than two say nothing."""


def register(app: typer.Typer) -> None:
    """Mount ``train``."""
    app.command(rich_help_panel="Look after it")(train)


def train(
    context: typer.Context,
    graphs: Annotated[
        int, typer.Option(min=_FEWEST_GRAPHS, help="Invented graphs to learn from.")
    ] = _DEFAULT_GRAPHS,
    seed: Annotated[int, typer.Option(help="Another seed invents other graphs.")] = 0,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="Write the weights to this .safetensors file, not to the cache."),
    ] = None,
) -> None:
    """Learn when a graph does not know the answer, for the encoder in use.

    dysk comes with weights for its default encoder. No weight of a model changes.
    """
    chosen = settings.of(context)
    with chosen.workspace() as workspace:
        with output.working("getting the encoder ready") as progress:
            encoder = workspace.encoder(progress)
        from dysk.training import train as learn

        with bar("inventing and asking") as advance:
            calibration, report = learn(encoder, graphs=graphs, seed=seed, progress=advance)
        path = _save(encoder, calibration, report, to)
    if chosen.as_json:
        output.print_json(
            {
                "encoder": encoder.fingerprint,
                "graphs": report.graphs,
                "questions": report.questions,
                "precision": report.precision,
                "recall": report.recall,
                "file": str(path),
            }
        )
        return
    rows = [
        ("encoder", encoder.fingerprint),
        ("abstained rightly, of all abstentions", f"{report.precision:.0%}"),
        ("abstained, of all that have no answer", f"{report.recall:.0%}"),
        ("kept in", str(path)),
    ]
    output.out().print(output.table(("", ""), rows))
    output.say(f"on {report.questions} questions about graphs that taught nothing")


def _save(
    encoder: TextEncoder, calibration: Calibration, report: Report, path: Path | None
) -> Path:
    from dysk.training import save_calibration

    try:
        return save_calibration(encoder, calibration, report, path)
    except OSError as error:
        raise ModelUnavailable(
            f"cannot keep the weights in {error.filename}: {error.strerror}. Free some space, name "
            "another file with --to, or point DYSK_CACHE at a folder that can be written"
        ) from error
