"""What an erasing commit takes out of the SQLite store, inside its write transaction.

The bytes of the rows go afterwards: see ``sqlite_scrub``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence


def erase_facts(connection: sqlite3.Connection, revision: int, facts: Sequence[int]) -> None:
    """Erase facts, by their keys, and note that this revision has bytes to scrub."""
    for fact in facts:
        _erase_fact(connection, fact)
    connection.execute("INSERT INTO unscrubbed VALUES (?)", (revision,))


def _erase_fact(connection: sqlite3.Connection, fact: int) -> None:
    """Delete every version of a fact, and the entities and relation that only it named."""
    rows = connection.execute(
        "SELECT subject, object, relation FROM versions WHERE fact = ?", (fact,)
    ).fetchall()
    connection.execute(
        """UPDATE changes SET kind = 'erase', before = NULL, after = NULL
           WHERE fact = :fact AND revision IN (SELECT revision FROM versions WHERE fact = :fact)""",
        {"fact": fact},
    )
    connection.execute("DELETE FROM versions WHERE fact = ?", (fact,))
    for entity in sorted({key for row in rows for key in row[:2]}):
        _drop_orphan_entity(connection, entity)
    for relation in sorted({row[2] for row in rows}):
        connection.execute(
            """DELETE FROM relations WHERE relation = :key
               AND NOT EXISTS (SELECT 1 FROM versions WHERE relation = :key)
               AND NOT EXISTS (SELECT 1 FROM settings WHERE relation = :key)""",
            {"key": relation},
        )


def _drop_orphan_entity(connection: sqlite3.Connection, entity: int) -> None:
    """Delete an entity, and all that was merged with it, unless a version names any of them."""
    rows = connection.execute(
        """WITH RECURSIVE
               target (entity) AS (VALUES (?) UNION
                   SELECT m.target FROM target t JOIN merges m ON m.entity = t.entity),
               same (entity) AS (SELECT entity FROM target UNION
                   SELECT m.entity FROM same s JOIN merges m ON m.target = s.entity)
           SELECT entity, EXISTS (SELECT 1 FROM versions WHERE subject = s.entity)
               OR EXISTS (SELECT 1 FROM versions WHERE object = s.entity) FROM same s""",
        (entity,),
    ).fetchall()
    if any(named for _, named in rows):
        return
    for table in ("aliases", "changes", "merges", "entities"):
        connection.executemany(f"DELETE FROM {table} WHERE entity = ?", [(key,) for key, _ in rows])
