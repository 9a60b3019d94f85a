"""The change feed of the SQLite store: commits read back from their rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from graph.fact import Fact, Relation
from graph.sqlite_rows import FACT, JOINS, to_fact, to_text
from graph.store import Change, Commit

PAGE_CHANGES = 100_000
"""Changes that a page of the feed has at most, so that it fits into memory; one commit may have
more.
"""

_CHANGE = f"""
    SELECT h.revision, h.kind, coalesce(f.id, (SELECT id FROM facts WHERE fact = h.fact)), h.before,
        r2.name, g.cardinality, g.template, g.inverse, e.name, h.aliases, t.name, h.after, {FACT}
    FROM changes h
    LEFT JOIN versions v ON v.version = h.after {JOINS.replace("CROSS", "LEFT")}
    LEFT JOIN relations r2 ON r2.relation = h.relation
    LEFT JOIN settings g ON g.relation = h.relation AND g.revision = h.revision
    LEFT JOIN entities e ON e.entity = h.entity
    LEFT JOIN entities t ON t.entity = h.target
    WHERE h.revision BETWEEN :first AND :last ORDER BY h.revision, h.position
"""
_BEFORE = f"""
    SELECT h.before, {FACT} FROM changes h CROSS JOIN versions v ON v.version = h.before {JOINS}
    WHERE h.revision BETWEEN :first AND :last AND h.before IS NOT NULL
"""


def commits_between(connection: sqlite3.Connection, first: int, last: int) -> list[Commit]:
    """The commits from revision ``first`` to ``last``, or to an earlier one where they have very
    many changes. The caller holds a transaction.
    """
    bounds = {"first": first, "last": _end_of_page(connection, first, last)}
    before = {row[0]: to_fact(row[1:]) for row in connection.execute(_BEFORE, bounds)}
    changes: dict[int, list[Change]] = {}
    for row in connection.execute(_CHANGE, bounds):
        changes.setdefault(row[0], []).append(_to_change(row, before))
    return [
        Commit(revision, to_text(recorded_at), tuple(changes.get(revision, ())))
        for revision, recorded_at in connection.execute(
            """SELECT revision, recorded_at FROM commits
               WHERE revision BETWEEN :first AND :last ORDER BY revision""",
            bounds,
        )
    ]


def _end_of_page(connection: sqlite3.Connection, first: int, last: int) -> int:
    row = connection.execute(
        """SELECT revision FROM changes WHERE revision BETWEEN ? AND ?
           ORDER BY revision, position LIMIT 1 OFFSET ?""",
        (first, last, PAGE_CHANGES),
    ).fetchone()
    return last if row is None else max(first, row[0] - 1)


def _to_change(row: tuple[Any, ...], before: Mapping[int, Fact]) -> Change:
    """A change from the columns of _CHANGE."""
    if row[11] is not None:
        replaced = None if row[3] is None else before[row[3]]
        return Change(row[1], row[2], replaced, to_fact(row[12:]))
    return Change(
        kind=row[1],
        fact_id=row[2],
        relation=None if row[4] is None else Relation(*row[4:8]),
        entity=row[8],
        aliases=tuple(json.loads(row[9])) if row[9] else (),
        target=row[10],
    )
