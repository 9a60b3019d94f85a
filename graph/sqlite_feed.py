"""The change feed of the SQLite store: commits read back from their rows."""

from __future__ import annotations

import json
import sqlite3

from graph.fact import Relation
from graph.sqlite_rows import FACT, JOINS, to_fact, to_text
from graph.store import Change, Commit

PAGE_CHANGES = 100_000
"""Changes that a page of the feed has at most, so that it fits into memory; one commit may have
more.
"""

_CHANGE = f"""
    SELECT h.revision, h.position, h.kind, h.before, h.after, {FACT}
    FROM changes h LEFT JOIN versions v ON v.version = h.after {JOINS.replace("CROSS", "LEFT")}
    WHERE h.revision BETWEEN :first AND :last ORDER BY h.revision, h.position
"""
_BEFORE = f"""
    SELECT h.before, {FACT} FROM changes h CROSS JOIN versions v ON v.version = h.before {JOINS}
    WHERE h.revision BETWEEN :first AND :last AND h.before IS NOT NULL
"""
_OTHER = """
    SELECT h.kind, f.id, r.name, g.cardinality, g.template, g.inverse, e.name, h.aliases, t.name
    FROM changes h
    LEFT JOIN facts f ON f.fact = h.fact
    LEFT JOIN relations r ON r.relation = h.relation
    LEFT JOIN settings g ON g.relation = h.relation AND g.revision = h.revision
    LEFT JOIN entities e ON e.entity = h.entity
    LEFT JOIN entities t ON t.entity = h.target
    WHERE h.revision = ? AND h.position = ?
"""
"""A change without a version: of settings, of names, or of what is erased. Few are."""


def commits_between(connection: sqlite3.Connection, first: int, last: int) -> list[Commit]:
    """The commits from revision ``first`` to ``last``, or to an earlier one where they have very
    many changes. The caller holds a transaction.
    """
    bounds = {"first": first, "last": _end_of_page(connection, first, last)}
    before = {row[0]: to_fact(row[1:]) for row in connection.execute(_BEFORE, bounds)}
    changes: dict[int, list[Change]] = {}
    for row in connection.execute(_CHANGE, bounds):
        revision, position, kind, replaced, after = row[:5]
        if after is None:
            change = _other(connection, revision, position)
        else:
            fact = to_fact(row[5:])
            change = Change(kind, fact.id, before.get(replaced), fact)
        changes.setdefault(revision, []).append(change)
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


def _other(connection: sqlite3.Connection, revision: int, position: int) -> Change:
    row = connection.execute(_OTHER, (revision, position)).fetchone()
    kind, fact_id, relation, *settings, entity, aliases, target = row
    return Change(
        kind=kind,
        fact_id=fact_id,
        relation=None if relation is None else Relation(relation, *settings),
        entity=entity,
        aliases=tuple(json.loads(aliases)) if aliases else (),
        target=target,
    )
