"""How a commit becomes rows, inside a write transaction."""

from __future__ import annotations

import json
import sqlite3

from graph.fact import Fact, Relation
from graph.idempotency import KeptReceipt
from graph.interval import parse_date
from graph.migrations import CURRENT
from graph.store import Change, Commit


def write_commit(connection: sqlite3.Connection, commit: Commit) -> None:
    """Write a commit and its changes. The caller began the transaction and ends it."""
    connection.execute(
        "INSERT INTO commits VALUES (?, ?)",
        (commit.revision, parse_date(commit.recorded_at).start),
    )
    writer = _Writer(connection, commit.revision)
    for position, change in enumerate(commit.changes):
        writer.write(position, change)
    # Last, so that what the same commit still names is not taken for an orphan.
    erased = [
        change.fact_id
        for change in commit.changes
        if change.kind == "erase" and change.fact_id is not None
    ]
    for fact_id in erased:
        writer.erase(fact_id)
    if erased:
        connection.execute("INSERT INTO unscrubbed VALUES (?)", (commit.revision,))


def write_receipt(connection: sqlite3.Connection, key: str, kept: KeptReceipt) -> None:
    """Keep a receipt under its idempotency key, which is not taken."""
    values = (kept.fingerprint, kept.revision, kept.committed, json.dumps(kept.items), kept.kept_at)
    connection.execute("INSERT INTO receipts VALUES (?, ?, ?, ?, ?, ?)", (key, *values))


def forget_receipts(connection: sqlite3.Connection, through: int) -> None:
    """Forget the receipts kept until this time, in seconds since 1970 UTC."""
    connection.execute("DELETE FROM receipts WHERE kept_at <= ?", (through,))


def read_receipt(connection: sqlite3.Connection, key: str) -> KeptReceipt | None:
    """The receipt kept under an idempotency key."""
    row = connection.execute(
        """SELECT fingerprint, revision, committed, items, kept_at FROM receipts
           WHERE idempotency_key = ?""",
        (key,),
    ).fetchone()
    if row is None:
        return None
    fingerprint, revision, committed, items, kept_at = row
    decoded = tuple(
        (outcome, fact_id, version, tuple(superseded))
        for outcome, fact_id, version, superseded in json.loads(items)
    )
    return KeptReceipt(fingerprint, revision, bool(committed), decoded, kept_at)


class _Writer:
    """Writes the changes of one commit; remembers the keys that it looked up."""

    def __init__(self, connection: sqlite3.Connection, revision: int) -> None:
        self._connection = connection
        self._revision = revision
        self._keys: dict[tuple[str, str], int] = {}

    def write(self, position: int, change: Change) -> None:
        """Write one change and the version, settings or aliases that it brings."""
        fact = before = after = relation = entity = aliases = target = None
        if change.relation is not None:
            relation = self._declare(change.relation)
        elif change.entity is not None and change.target is not None:
            entity, target = self._merge(change.entity, change.target)
        elif change.entity is not None:
            entity = self._alias(change.entity, change.aliases)
            aliases = json.dumps(change.aliases)
        elif change.fact_id is not None:
            fact = self._fact(change.fact_id)
            if change.before is not None:
                before = self._replaced(fact)
            if change.after is not None:
                after = self._version(fact, change.after)
        place, versions = (self._revision, position, change.kind, fact), (before, after)
        self._connection.execute(
            "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*place, *versions, relation, entity, aliases, target),
        )

    def erase(self, fact_id: str) -> None:
        """Delete every version of a fact, and the entities and relation that only it named."""
        fact = self._fact(fact_id)
        rows = self._connection.execute(
            "SELECT subject, object, relation FROM versions WHERE fact = ?", (fact,)
        ).fetchall()
        self._connection.execute(
            "UPDATE changes SET kind = 'erase', before = NULL, after = NULL WHERE fact = ?", (fact,)
        )
        self._connection.execute("DELETE FROM versions WHERE fact = ?", (fact,))
        for entity in sorted({key for row in rows for key in row[:2]}):
            self._drop_orphan_entity(entity)
        for relation in sorted({row[2] for row in rows}):
            self._connection.execute(
                """DELETE FROM relations WHERE relation = :key
                   AND NOT EXISTS (SELECT 1 FROM versions WHERE relation = :key)
                   AND NOT EXISTS (SELECT 1 FROM settings WHERE relation = :key)""",
                {"key": relation},
            )

    def _drop_orphan_entity(self, entity: int) -> None:
        """Delete an entity, and all that was merged with it, unless a version names any of them."""
        rows = self._connection.execute(
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
            self._connection.executemany(
                f"DELETE FROM {table} WHERE entity = ?", [(key,) for key, _ in rows]
            )

    def _declare(self, relation: Relation) -> int:
        key = self._relation(relation.name)
        self._connection.execute(
            "INSERT INTO settings VALUES (?, ?, ?, ?, ?)",
            (key, self._revision, relation.cardinality, relation.template, relation.inverse),
        )
        return key

    def _alias(self, entity: str, aliases: tuple[str, ...]) -> int:
        key = self._entity(entity)
        self._connection.executemany(
            "INSERT INTO aliases VALUES (?, ?, ?)",
            [(key, alias, self._revision) for alias in aliases],
        )
        return key

    def _merge(self, source: str, target: str) -> tuple[int, int]:
        keys = self._entity(source), self._entity(target)
        self._connection.execute("INSERT INTO merges VALUES (?, ?, ?)", (*keys, self._revision))
        return keys

    def _replaced(self, fact: int) -> int:
        """Close the version that was current, and tell its key."""
        version: int = self._connection.execute(
            f"""UPDATE versions SET until = ? WHERE fact = ? AND until = {CURRENT}
                RETURNING version""",
            (self._revision, fact),
        ).fetchone()[0]
        return version

    def _version(self, key: int, fact: Fact) -> int:
        interval = fact.interval
        values = {
            "fact": key,
            "revision": self._revision,
            "until": CURRENT,
            "subject": self._entity(fact.subject),
            "relation": self._relation(fact.relation),
            "object": self._entity(fact.object),
            "begins": interval.start,
            "ends": interval.end,
            "valid_from": fact.valid_from,
            "valid_to": fact.valid_to,
            "source": fact.source,
            "external_id": fact.external_id,
            "attributes": _json(dict(fact.attributes)),
            "status": fact.status,
            "supersedes": _json(fact.supersedes),
            "superseded_by": None if fact.superseded_by is None else self._fact(fact.superseded_by),
            "stated_to": fact.statement.valid_to,
            "ended": fact.statement.ended,
            "exclusive": fact.statement.exclusive,
        }
        cursor = self._connection.execute(
            f"""INSERT INTO versions ({", ".join(values)})
                VALUES ({", ".join(f":{name}" for name in values)})""",
            values,
        )
        assert cursor.lastrowid is not None  # noqa: S101 - an INSERT has one
        return cursor.lastrowid

    def _fact(self, fact_id: str) -> int:
        return self._key("facts", "fact", "id", fact_id)

    def _entity(self, name: str) -> int:
        return self._key("entities", "entity", "name", name)

    def _relation(self, name: str) -> int:
        return self._key("relations", "relation", "name", name)

    def _key(self, table: str, key: str, column: str, text: str) -> int:
        """The integer key of a text, made on first sight."""
        if (table, text) not in self._keys:
            query = f"SELECT {key} FROM {table} WHERE {column} = ?"
            row = self._connection.execute(query, (text,)).fetchone()
            if row is None:
                query = f"INSERT INTO {table} ({column}) VALUES (?) RETURNING {key}"
                row = self._connection.execute(query, (text,)).fetchone()
            self._keys[table, text] = row[0]
        return self._keys[table, text]


def _json(value: object) -> str | None:
    return json.dumps(value, ensure_ascii=False) if value else None
