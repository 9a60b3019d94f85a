"""Forgetting history in the SQLite store: the rows that only revisions before the horizon need."""

from __future__ import annotations

import sqlite3

from graph.sqlite_rows import horizon_of
from graph.store import Compaction

_STEPS = (
    "DELETE FROM changes WHERE revision <= :before",
    """DELETE FROM settings WHERE revision < (SELECT max(later.revision) FROM settings later
        WHERE later.relation = settings.relation AND later.revision <= :before)""",
    """DELETE FROM relations WHERE relation NOT IN (
        SELECT relation FROM versions UNION SELECT relation FROM settings)""",
    """DELETE FROM entities WHERE entity NOT IN (
        SELECT subject FROM versions UNION SELECT object FROM versions
        UNION SELECT entity FROM aliases
        UNION SELECT entity FROM merges UNION SELECT target FROM merges)""",
    "DELETE FROM compacted",
    "INSERT INTO compacted VALUES (:before)",
    # What is left keeps the time at which it was recorded.
    """DELETE FROM commits WHERE revision < :before AND revision NOT IN (
        SELECT revision FROM versions UNION SELECT revision FROM aliases
        UNION SELECT revision FROM settings UNION SELECT revision FROM merges
        UNION SELECT revision FROM unscrubbed)""",
    # The bytes of what is forgotten go like those of what is erased.
    "INSERT OR IGNORE INTO unscrubbed VALUES (:before)",
)


def compact(connection: sqlite3.Connection, before: int) -> Compaction:
    """Forget what only revisions before ``before`` need, which is not above the latest.

    The caller began the transaction.
    """
    horizon = horizon_of(connection)
    if before <= horizon:
        return Compaction(horizon, 0, 0)
    bound = {"before": before}
    versions = connection.execute("DELETE FROM versions WHERE until <= :before", bound).rowcount
    for step in _STEPS:
        connection.execute(step, bound)
    return Compaction(before, versions, before - horizon)
