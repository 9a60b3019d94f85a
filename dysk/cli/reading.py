"""The verbs that look: search, timeline, changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from dysk.cli import output, settings
from graph.errors import NotFound
from graph.store import Commit

if TYPE_CHECKING:
    from dysk.client import Dysk
    from dysk.remote import RemoteDysk

_PANEL = "Look"
_PAGE = 1000
"""Commits fetched from the feed at a time."""


def register(app: typer.Typer) -> None:
    """Mount the reading verbs."""
    for verb in (search, timeline, changes):
        app.command(rich_help_panel=_PANEL)(verb)


def search(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="A question, a name, a few words.")],
    as_of: Annotated[str | None, typer.Option(metavar="DATE", help="Facts that held then.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many facts.")] = 8,
) -> None:
    """Rank the facts that bear on a text; needs the encoder, not the language model."""
    chosen = settings.of(context)
    with chosen.opened() as graph, output.working("searching"):
        found = graph.search(text, as_of=as_of, limit=limit)
    if chosen.as_json:
        output.print_json({"facts": [output.evidence_record(evidence) for evidence in found]})
    elif found:
        rows = [
            (
                f"{evidence.coarse_score:.3f}",
                evidence.text,
                output.validity(evidence.valid_from, evidence.valid_to),
                evidence.fact_id,
                evidence.source or "",
            )
            for evidence in found
        ]
        output.out().print(output.table(("score", "fact", "valid", "id", "source"), rows))
    else:
        output.say("no fact bears on that; `dysk import FILE` or `dysk add` brings facts in")


def timeline(
    context: typer.Context,
    entity: Annotated[str, typer.Argument(help="An entity's name or alias.")],
) -> None:
    """Every fact about an entity, in order of time."""
    chosen = settings.of(context)
    with chosen.opened() as graph:
        facts = graph.timeline(entity)
    if not facts:
        raise NotFound(
            f"no fact is about {entity!r}: check the spelling, or try `dysk search {entity!r}`"
        )
    if chosen.as_json:
        output.print_json({"entity": entity, "facts": [output.fact_record(fact) for fact in facts]})
        return
    rows = [
        (
            fact.valid_from or "",
            fact.valid_to or "",
            fact.subject,
            fact.relation,
            fact.object,
            fact.status,
            fact.id,
            fact.source or "",
        )
        for fact in facts
    ]
    columns = ("from", "to", "subject", "relation", "object", "status", "id", "source")
    output.out().print(output.table(columns, rows))


def changes(
    context: typer.Context,
    since: Annotated[int, typer.Option(min=0, help="Show what came after this revision.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for more, until Ctrl-C.")] = False,
) -> None:
    """The change feed, a commit at a time; with --output json one commit a line."""
    chosen = settings.of(context)
    with chosen.opened() as graph:
        for commit in graph.follow(since) if follow else _all(graph, since):
            _print_commit(commit, as_json=chosen.as_json)


def _all(graph: Dysk | RemoteDysk, since: int) -> Iterator[Commit]:
    """Every commit after ``since`` that there is."""
    while commits := graph.changes(since, _PAGE):
        yield from commits
        since = commits[-1].revision


def _print_commit(commit: Commit, *, as_json: bool) -> None:
    if as_json:
        output.print_json(output.commit_record(commit), indent=None)
        return
    console = output.out()
    console.print(f"revision {commit.revision}, {commit.recorded_at}", style="bold")
    for change in commit.changes:
        console.print(f"  {output.change_line(change)}")
