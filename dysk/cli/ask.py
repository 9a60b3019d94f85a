"""``dysk ask``: a question, its answer, and the facts that the answer rests on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from dysk.answer import Answer, Evidence
from dysk.checks import check_question
from dysk.cli import output, settings
from graph.interval import parse_date

if TYPE_CHECKING:
    from dysk.client import Dysk
    from dysk.remote import RemoteDysk

_BAR = 12
"""Columns of a full attention bar."""
_STAGES = ("time", "coarse", "encode", "select", "prefill", "decode", "total")


class Mode(StrEnum):
    """How the model gets to know the facts."""

    attention = "attention"
    rag = "rag"
    hybrid = "hybrid"
    closed_book = "closed_book"


class Grounding(StrEnum):
    """What is done about an answer that no fact in evidence supports."""

    off = "off"
    check = "check"
    strict = "strict"


def register(app: typer.Typer) -> None:
    """Mount ``ask``."""
    app.command(rich_help_panel="Ask")(ask)


def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="The question, in plain English.")],
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="Answer as of then, not as of now.")
    ] = None,
    mode: Annotated[Mode, typer.Option(help="How the model reads the facts.")] = Mode.attention,
    top_k: Annotated[int, typer.Option(min=1, help="Facts that the model reads.")] = 4,
    candidates: Annotated[int, typer.Option(min=1, help="Facts that it chooses from.")] = 32,
    grounding: Annotated[
        Grounding, typer.Option(help="check: say if unsupported; strict: speak only facts.")
    ] = Grounding.check,
    json: Annotated[bool, typer.Option("--json", help="The same as --output json.")] = False,
) -> None:
    """Ask the model a question about the graph.

    Example: dysk ask "Who was the head of government of the UK in March 2023?"
    """
    chosen = settings.of(context)
    check_question(question)
    if as_of is not None:
        parse_date(as_of)  # what can be refused is refused before the models load
    with _ready(chosen) as graph, output.working("reading the graph and asking the model"):
        answer = graph.ask(
            question,
            as_of=as_of,
            mode=mode.value,
            candidates=candidates,
            top_k=top_k,
            grounding=grounding.value,
        )
    if json or chosen.as_json:
        output.print_json(answer.to_dict())
    else:
        output.out().print(panel(question, answer))


@contextmanager
def _ready(chosen: settings.Settings) -> Iterator[Dysk | RemoteDysk]:
    """The graph, with the models loaded where they are this process's own."""
    if chosen.url is not None:
        with chosen.opened() as remote:
            yield remote
        return
    with chosen.workspace() as workspace:
        graph = workspace.graph(chosen.graph)
        with output.working("getting the models ready") as progress:
            workspace.warm(progress, graphs=[chosen.graph])
        yield graph


def panel(question: str, answer: Answer) -> Panel:
    """An answer in a box: the words, when they hold, the evidence with attention bars, the cost."""
    spoken = Text(answer.text, style="bold green" if answer.status == "answered" else "bold yellow")
    about = [answer.status, f"as of {answer.as_of}", f"revision {answer.revision}", answer.mode]
    if answer.grounded is not None:
        about.append("grounded" if answer.grounded else "not grounded: no fact in evidence says so")
    parts: list[RenderableType] = [spoken, Text(" · ".join(about), style="dim")]
    if answer.evidence:
        rows = [_row(evidence) for evidence in answer.evidence]
        parts += [Text(), output.table(("attention", "fact", "valid", "source"), rows)]
    if answer.conflicts:
        parts.append(Text(f"these facts disagree: {', '.join(answer.conflicts)}", style="yellow"))
    parts += [Text(), Text(timings(answer), style="dim")]
    return Panel(Group(*parts), title=Text(question), title_align="left", expand=False)


def timings(answer: Answer) -> str:
    """``coarse 13 · prefill 90 · total 140 ms``: the stages that took place, in order."""
    spent = [
        f"{stage} {answer.timings_ms[stage]:.0f}" for stage in _STAGES if stage in answer.timings_ms
    ]
    return f"{' · '.join(spent)} ms" if spent else ""


def bar(share: float | None) -> str:
    """A share of attention, 0 to 1, as a bar and a percentage; a dash where none was paid."""
    if share is None:
        return "–"
    filled = round(max(0.0, min(1.0, share)) * _BAR)
    return f"{'█' * filled}{'░' * (_BAR - filled)} {share:4.0%}"


def _row(evidence: Evidence) -> tuple[str, str, str, str]:
    dates = output.validity(evidence.valid_from, evidence.valid_to)
    return bar(evidence.attention), evidence.text, dates, evidence.source or ""
