"""How results look: rich on a terminal, plain lines in a pipe, JSON for a machine.

Results go to stdout, everything else to stderr. The consoles are made on each call, so that
redirected streams are followed. Markup is off throughout, since facts may hold brackets.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dysk.answer import Evidence
from graph.fact import Fact, Relation
from graph.store import Change, Commit, Compaction, Receipt

_UNCUT = 10_000
"""Columns of a pipe: nothing is wrapped or shortened there."""
_FACT_FIELDS = (
    "id",
    "subject",
    "relation",
    "object",
    "valid_from",
    "valid_to",
    "recorded_at",
    "revision",
    "status",
    "source",
    "external_id",
    "superseded_by",
)


def out() -> Console:
    """The console for results."""
    return _console(sys.stdout)


def err() -> Console:
    """The console for progress and messages."""
    return _console(sys.stderr)


def _console(stream: TextIO) -> Console:
    console = Console(file=stream, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = _UNCUT
    return console


def say(message: str) -> None:
    """One line on stderr."""
    err().print(message)


def print_json(record: object, *, indent: int | None = 2) -> None:
    """One JSON value on stdout; ``indent`` None keeps it on one line."""
    print(json.dumps(record, ensure_ascii=False, indent=indent), flush=True)


@contextmanager
def working(message: str) -> Iterator[Callable[[str], None]]:
    """A spinner on stderr while something slow runs, and the way to change its words.

    Silent where stderr is not a terminal.
    """
    with err().status(Text(message)) as spinner:
        yield lambda line: spinner.update(Text(line))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A plain table: a bold header, no lines."""
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*row)
    return grid


def validity(valid_from: str | None, valid_to: str | None) -> str:
    """``2019-07-24 – 2022-09-06``; an open end is left out, no dates at all read ``always``."""
    if valid_from is None and valid_to is None:
        return "always"
    return f"{valid_from or ''} – {valid_to or ''}".strip()


def statement(fact: Fact) -> str:
    """``United Kingdom · head of government · Keir Starmer (2024-07-05 –)``."""
    dates = validity(fact.valid_from, fact.valid_to)
    return f"{fact.subject} · {fact.relation} · {fact.object} ({dates})"


def fact_record(fact: Fact) -> dict[str, Any]:
    """The JSON of a fact, as the REST interface has it."""
    record = {name: getattr(fact, name) for name in _FACT_FIELDS}
    return record | {"attributes": dict(fact.attributes), "supersedes": list(fact.supersedes)}


def receipt_record(receipt: Receipt) -> dict[str, Any]:
    """The JSON of what a write did."""
    return {
        "revision": receipt.revision,
        "dry_run": receipt.dry_run,
        "items": [
            {
                "outcome": item.outcome,
                "fact": None if item.fact is None else fact_record(item.fact),
                "superseded": list(item.superseded),
            }
            for item in receipt.items
        ],
        "changes": [change_record(change) for change in receipt.changes],
    }


def change_record(change: Change) -> dict[str, Any]:
    """The JSON of one change; members that its kind does not use are left out."""
    record: dict[str, Any] = {"kind": change.kind}
    if change.fact_id is not None:
        record["fact_id"] = change.fact_id
    for side, fact in (("before", change.before), ("after", change.after)):
        if fact is not None:
            record[side] = fact_record(fact)
    if change.relation is not None:
        record["relation"] = relation_record(change.relation)
    if change.entity is not None:
        record["entity"] = change.entity
        if change.target is not None:
            record["target"] = change.target
        else:
            record["aliases"] = list(change.aliases)
    return record


def relation_record(relation: Relation) -> dict[str, Any]:
    """The JSON of a relation's settings."""
    return asdict(relation)


def commit_record(commit: Commit) -> dict[str, Any]:
    """The JSON of a commit in the feed."""
    return {
        "revision": commit.revision,
        "recorded_at": commit.recorded_at,
        "changes": [change_record(change) for change in commit.changes],
    }


def evidence_record(evidence: Evidence) -> dict[str, Any]:
    """The JSON of a fact found or read."""
    return asdict(evidence)


def change_line(change: Change) -> str:
    """One change as a line of text."""
    if change.relation is not None:
        settings = change.relation
        template = f", worded “{settings.template}”" if settings.template else ""
        inverse = f", inverse {settings.inverse}" if settings.inverse else ""
        return f"relation   {settings.name}: {settings.cardinality}{template}{inverse}"
    if change.target is not None:
        return f"merge      {change.entity} is {change.target}"
    if change.entity is not None:
        return f"alias      {change.entity}: {', '.join(change.aliases)}"
    version = change.after or change.before
    what = statement(version) if version is not None else "(its text is gone)"
    return f"{change.kind:<10} {change.fact_id}  {what}"


def print_receipt(receipt: Receipt, *, as_json: bool) -> None:
    """What a write did: its changes, or that there was nothing to change, and the revision."""
    if as_json:
        print_json(receipt_record(receipt))
        return
    console = out()
    for change in receipt.changes:
        console.print(change_line(change))
    if not receipt.changes:
        held = receipt.items[0].fact if receipt.items else None
        console.print("unchanged" if held is None else f"unchanged  {held.id}  {statement(held)}")
    tense = "nothing written (dry run), still at" if receipt.dry_run else "at"
    console.print(f"{tense} revision {receipt.revision}")


def print_compaction(compaction: Compaction, *, as_json: bool) -> None:
    """What was forgotten, and the earliest revision that is left."""
    if as_json:
        print_json(asdict(compaction))
        return
    out().print(
        f"forgot {compaction.versions:,} versions and {compaction.commits:,} commits; "
        f"the earliest revision is {compaction.horizon}"
    )
