"""How facts and commits are read from rows: the joins that every SQLite read shares."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from graph.fact import Fact, Relation, Statement
from graph.interval import format_utc
from graph.store import Change, Commit

FACT = """
    f.id, s.name, r.name, o.name, v.valid_from, v.valid_to, v.source, v.external_id, v.attributes,
    v.status, v.supersedes, b.id, c.recorded_at, v.revision, v.stated_to, v.ended, v.exclusive
"""
"""The columns that ``to_fact`` reads, from ``versions v`` and JOINS."""

JOINS = """
    CROSS JOIN facts f ON f.fact = v.fact
    CROSS JOIN entities s ON s.entity = v.subject
    CROSS JOIN relations r ON r.relation = v.relation
    CROSS JOIN entities o ON o.entity = v.object
    CROSS JOIN commits c ON c.revision = v.revision
    LEFT JOIN facts b ON b.fact = v.superseded_by
"""
"""Names for the keys of ``versions v``. CROSS keeps SQLite from starting at another table."""

KNOWN = "v.revision <= :revision AND v.until > :revision"
"""The version that is current at a revision."""

HOLDS = "v.begins < :end AND v.ends > :start AND v.begins < v.ends"
"""The version holds somewhere in [start, end)."""


def to_fact(row: tuple[Any, ...]) -> Fact:
    """A fact from the columns FACT."""
    return Fact(
        id=row[0],
        subject=row[1],
        relation=row[2],
        object=row[3],
        valid_from=row[4],
        valid_to=row[5],
        source=row[6],
        external_id=row[7],
        attributes=json.loads(row[8]) if row[8] else {},
        status=row[9],
        supersedes=tuple(json.loads(row[10])) if row[10] else (),
        superseded_by=row[11],
        recorded_at=to_text(row[12]),
        revision=row[13],
        statement=Statement(row[14], bool(row[15]), bool(row[16])),
    )


@lru_cache(maxsize=1024)
def to_text(seconds: int) -> str:
    """A transaction time as text, from seconds since 1970 UTC."""
    return format_utc(datetime.fromtimestamp(seconds, UTC))


def horizon_of(connection: sqlite3.Connection) -> int:
    """The earliest revision that is left; 0 when nothing was compacted."""
    horizon: int | None = connection.execute("SELECT max(horizon) FROM compacted").fetchone()[0]
    return horizon or 0


def versions_of(connection: sqlite3.Connection, fact_id: str, revision: int) -> list[Fact]:
    """Every version of a fact up to a revision, oldest first; empty when there is none."""
    rows = connection.execute(
        f"""SELECT {FACT} FROM facts k CROSS JOIN versions v ON v.fact = k.fact {JOINS}
            WHERE k.id = ? AND v.revision <= ? ORDER BY v.revision""",
        (fact_id, revision),
    )
    return [to_fact(row) for row in rows]


def commits_between(connection: sqlite3.Connection, first: int, last: int) -> list[Commit]:
    """The commits from revision ``first`` to ``last``. The caller holds a transaction."""
    bounds = {"first": first, "last": last}
    facts = {
        row[0]: to_fact(row[1:])
        for row in connection.execute(
            f"""SELECT v.version, {FACT} FROM
                (SELECT before AS version FROM changes
                    WHERE revision BETWEEN :first AND :last AND before IS NOT NULL
                 UNION SELECT after FROM changes
                    WHERE revision BETWEEN :first AND :last AND after IS NOT NULL) w
                CROSS JOIN versions v ON v.version = w.version {JOINS}""",
            bounds,
        )
    }
    changes: dict[int, list[Change]] = {}
    for row in connection.execute(
        """SELECT h.revision, h.kind, f.id, h.before, h.after, r.name, g.cardinality, g.template,
                  g.inverse, e.name, h.aliases, t.name
           FROM changes h
           LEFT JOIN facts f ON f.fact = h.fact
           LEFT JOIN relations r ON r.relation = h.relation
           LEFT JOIN settings g ON g.relation = h.relation AND g.revision = h.revision
           LEFT JOIN entities e ON e.entity = h.entity
           LEFT JOIN entities t ON t.entity = h.target
           WHERE h.revision BETWEEN :first AND :last ORDER BY h.revision, h.position""",
        bounds,
    ):
        revision, kind, fact_id, before, after, relation, *settings, entity, names, target = row
        change = Change(
            kind=kind,
            fact_id=fact_id,
            before=facts.get(before),
            after=facts.get(after),
            relation=None if relation is None else Relation(relation, *settings),
            entity=entity,
            aliases=tuple(json.loads(names)) if names else (),
            target=target,
        )
        changes.setdefault(revision, []).append(change)
    return [
        Commit(revision, to_text(recorded_at), tuple(changes.get(revision, ())))
        for revision, recorded_at in connection.execute(
            """SELECT revision, recorded_at FROM commits
               WHERE revision BETWEEN :first AND :last ORDER BY revision""",
            bounds,
        )
    ]
