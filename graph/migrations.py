"""The tables of the SQLite store, in numbered steps.

``PRAGMA user_version`` counts the steps that a file has taken, ``application_id`` marks it as ours.
A step, once released, is never edited: a change of the tables is a new step at the end.

Text is stored once and referred to by integer key: entities, relations, ids of facts. A row of
``versions`` is current at revision r when ``revision <= r < until``, so that reading an old
revision is a filter and needs no open transaction. ``begins`` and ``ends`` are the interval in
which the version holds, empty when it holds nowhere. A row of ``facts`` without versions is an
erased fact.
"""

from __future__ import annotations

import sqlite3

APPLICATION_ID = 0x6479736B
"""``dysk`` in ASCII: what ``file`` and we know the format by."""

CURRENT = 2**62
"""The ``until`` of a version that nothing has replaced."""

_STEPS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE commits (
            revision INTEGER PRIMARY KEY,
            recorded_at INTEGER NOT NULL -- seconds since 1970 UTC, never decreasing
        )""",
        "CREATE INDEX commits_by_time ON commits (recorded_at)",
        "CREATE TABLE entities (entity INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
        """CREATE TABLE aliases (
            entity INTEGER NOT NULL REFERENCES entities,
            alias TEXT NOT NULL,
            revision INTEGER NOT NULL REFERENCES commits,
            UNIQUE (entity, alias)
        )""",
        "CREATE INDEX aliases_by_alias ON aliases (alias)",
        "CREATE TABLE relations (relation INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
        """CREATE TABLE settings (
            relation INTEGER NOT NULL REFERENCES relations,
            revision INTEGER NOT NULL REFERENCES commits,
            cardinality TEXT NOT NULL,
            template TEXT,
            PRIMARY KEY (relation, revision)
        ) WITHOUT ROWID""",
        "CREATE TABLE facts (fact INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE)",
        """CREATE TABLE versions (
            version INTEGER PRIMARY KEY,
            fact INTEGER NOT NULL REFERENCES facts,
            revision INTEGER NOT NULL REFERENCES commits,
            until INTEGER NOT NULL,
            subject INTEGER NOT NULL REFERENCES entities,
            relation INTEGER NOT NULL REFERENCES relations,
            object INTEGER NOT NULL REFERENCES entities,
            begins INTEGER NOT NULL,
            ends INTEGER NOT NULL,
            valid_from TEXT,
            valid_to TEXT,
            source TEXT,
            external_id TEXT,
            attributes TEXT, -- JSON, NULL when empty
            status TEXT NOT NULL,
            supersedes TEXT, -- JSON list of ids, NULL when empty
            superseded_by INTEGER REFERENCES facts,
            stated_to TEXT,
            ended INTEGER NOT NULL,
            exclusive INTEGER NOT NULL
        )""",
        "CREATE UNIQUE INDEX versions_by_fact ON versions (fact, revision)",
        "CREATE INDEX versions_by_slot ON versions (subject, relation, begins)",
        "CREATE INDEX versions_by_object ON versions (object, subject, relation)",
        "CREATE INDEX versions_by_relation ON versions (relation, fact)",
        "CREATE INDEX versions_by_source ON versions (source, fact) WHERE source IS NOT NULL",
        "CREATE INDEX versions_exclusive ON versions (subject, relation) WHERE exclusive",
        """CREATE TABLE changes (
            revision INTEGER NOT NULL REFERENCES commits,
            position INTEGER NOT NULL,
            kind TEXT NOT NULL,
            fact INTEGER REFERENCES facts,
            before INTEGER REFERENCES versions,
            after INTEGER REFERENCES versions,
            relation INTEGER REFERENCES relations,
            entity INTEGER REFERENCES entities,
            aliases TEXT, -- JSON list
            PRIMARY KEY (revision, position)
        ) WITHOUT ROWID""",
        "CREATE INDEX changes_by_fact ON changes (fact) WHERE fact IS NOT NULL",
        "CREATE INDEX changes_by_entity ON changes (entity) WHERE entity IS NOT NULL",
        """CREATE TABLE receipts (
            idempotency_key TEXT PRIMARY KEY,
            fingerprint TEXT NOT NULL,
            revision INTEGER NOT NULL,
            committed INTEGER NOT NULL,
            items TEXT NOT NULL -- JSON, ids and revisions only
        ) WITHOUT ROWID""",
        # Erasing commits whose bytes may still be in the file.
        "CREATE TABLE unscrubbed (revision INTEGER PRIMARY KEY REFERENCES commits)",
    ),
    (
        # Planning looks at the facts around one instant of a slot, never at the whole of it.
        "DROP INDEX versions_exclusive",
        f"""CREATE INDEX versions_current ON versions (subject, relation, exclusive, begins, ends)
            WHERE until = {CURRENT}""",
        """CREATE TABLE merges (
            entity INTEGER PRIMARY KEY REFERENCES entities,
            target INTEGER NOT NULL REFERENCES entities,
            revision INTEGER NOT NULL REFERENCES commits
        )""",
        "CREATE INDEX merges_by_target ON merges (target)",
        "ALTER TABLE changes ADD COLUMN target INTEGER REFERENCES entities",
        "ALTER TABLE settings ADD COLUMN inverse TEXT",
        "CREATE INDEX settings_by_inverse ON settings (inverse) WHERE inverse IS NOT NULL",
        # The earliest revision that is left; no row where nothing was compacted.
        "CREATE TABLE compacted (horizon INTEGER PRIMARY KEY REFERENCES commits)",
        "ALTER TABLE receipts ADD COLUMN kept_at INTEGER NOT NULL DEFAULT 0",
        """UPDATE receipts SET kept_at = coalesce((SELECT recorded_at FROM commits
            WHERE commits.revision = receipts.revision), 0)""",
        "CREATE INDEX receipts_by_time ON receipts (kept_at)",
    ),
    (
        # One index of slots for planning and for reads at any revision: each index that a version
        # is entered in is a page more to write. An erasure finds a fact's changes by its revisions.
        "DROP INDEX versions_current",
        "DROP INDEX versions_by_slot",
        """CREATE INDEX versions_by_slot
            ON versions (subject, relation, until, exclusive, begins, ends)""",
        # An object is seldom so famous that its facts in one slot have to be told apart by index,
        # and half the bytes are a quarter of all pages that an import writes.
        "DROP INDEX versions_by_object",
        "CREATE INDEX versions_by_object ON versions (object)",
        "DROP INDEX changes_by_fact",
    ),
)

SCHEMA_VERSION = len(_STEPS)
"""The ``user_version`` of a file that has taken every step."""


def migrate(connection: sqlite3.Connection) -> None:
    """Take the steps that the file lacks, all or none; wait for another process that is at it."""
    if _version(connection) == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in _STEPS[_version(connection) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
