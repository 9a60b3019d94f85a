"""How facts are read from rows: the joins that every SQLite read shares."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from graph.fact import Fact, Statement
from graph.interval import format_utc

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
    (
        id,
        subject,
        relation,
        object,
        valid_from,
        valid_to,
        source,
        external_id,
        attributes,
        status,
        supersedes,
        superseded_by,
        recorded_at,
        revision,
        stated_to,
        ended,
        exclusive,
    ) = row
    # By position, which takes half the time; spelt out, since splats take a tenth more of it.
    return Fact(
        id,
        subject,
        relation,
        object,
        valid_from,
        valid_to,
        source,
        external_id,
        json.loads(attributes) if attributes else {},
        status,
        tuple(json.loads(supersedes)) if supersedes else (),
        superseded_by,
        to_text(recorded_at),
        revision,
        _statement(stated_to, ended, exclusive),
    )


@lru_cache(maxsize=1024)
def _statement(valid_to: str | None, ended: int, exclusive: int) -> Statement:
    return Statement(valid_to, bool(ended), bool(exclusive))


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
