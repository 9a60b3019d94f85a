"""How a commit becomes rows, inside a write transaction: many rows a statement."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence

from graph.fact import Fact
from graph.interval import parse_date
from graph.migrations import CURRENT
from graph.sqlite_erasure import erase_facts
from graph.sqlite_keys import ENTITIES, FACTS, RELATIONS, Keys
from graph.store import Change, Commit

_Row = tuple[object, ...]


def write_commit(connection: sqlite3.Connection, commit: Commit, keys: Keys) -> None:
    """Write a commit and its changes. The caller began the transaction and ends it; ``keys`` are
    the transaction's.
    """
    connection.execute(
        "INSERT INTO commits VALUES (?, ?)",
        (commit.revision, parse_date(commit.recorded_at).start),
    )
    writer = _Writer(connection, commit, keys)
    writer.write_settings()
    writer.write_names()
    writer.write_facts()
    # Last, so that what the same commit still names is not taken for an orphan.
    writer.erase()


class _Writer:
    """Writes one commit. Texts get their keys first, all at once."""

    def __init__(self, connection: sqlite3.Connection, commit: Commit, keys: Keys) -> None:
        self._connection = connection
        self._revision = commit.revision
        self._changes = commit.changes
        self._entities = keys.make(ENTITIES, _entities(commit.changes))
        self._relations = keys.make(RELATIONS, _relations(commit.changes))
        # In order: the key of a fact is its place in the order of first recording.
        self._facts = keys.make(FACTS, _facts(commit.changes))

    def write_settings(self) -> None:
        """The settings of relations."""
        declared = (change.relation for change in self._changes)
        self._insert(
            "settings",
            [
                (
                    self._relations[relation.name],
                    self._revision,
                    relation.cardinality,
                    relation.template,
                    relation.inverse,
                )
                for relation in declared
                if relation is not None
            ],
        )

    def write_names(self) -> None:
        """Other names of entities, and merges of entities."""
        aliases: list[_Row] = []
        merges: list[_Row] = []
        for change in self._changes:
            if change.entity is None:
                continue
            key = self._entities[change.entity]
            if change.target is not None:
                merges.append((key, self._entities[change.target], self._revision))
            aliases += [(key, alias, self._revision) for alias in change.aliases]
        self._insert("aliases", aliases)
        self._insert("merges", merges)

    def write_facts(self) -> None:
        """New versions of facts, and every change, those of settings and names included."""
        before = self._close_replaced()
        (last,) = self._connection.execute(
            "SELECT coalesce(max(version), 0) FROM versions"
        ).fetchone()
        versions: list[_Row] = []
        changes: list[_Row] = []
        for position, change in enumerate(self._changes):
            fact = None if change.fact_id is None else self._facts[change.fact_id]
            after = None
            if fact is not None and change.after is not None:
                after = last + len(versions) + 1
                versions.append((after, fact, *self._version(change.after)))
            changes.append(
                (
                    self._revision,
                    position,
                    change.kind,
                    fact,
                    None if fact is None else before.get(fact),
                    after,
                    None if change.relation is None else self._relations[change.relation.name],
                    None if change.entity is None else self._entities[change.entity],
                    json.dumps(change.aliases) if change.aliases else None,
                    None if change.target is None else self._entities[change.target],
                )
            )
        self._insert("versions", versions)
        self._insert("changes", changes)

    def erase(self) -> None:
        """Erase what the commit erases."""
        erased = [
            self._facts[change.fact_id]
            for change in self._changes
            if change.kind == "erase" and change.fact_id is not None
        ]
        if erased:
            erase_facts(self._connection, self._revision, erased)

    def _close_replaced(self) -> Mapping[int, int]:
        """Close the versions that new ones replace; their keys by fact."""
        replaced = [
            self._facts[change.fact_id]
            for change in self._changes
            if change.fact_id is not None and change.before is not None
        ]
        if not replaced:
            return {}
        closed: dict[int, int] = dict(
            self._connection.execute(
                f"""SELECT v.fact, v.version FROM json_each(?) j
                    CROSS JOIN versions v INDEXED BY versions_by_fact ON v.fact = j.value
                    WHERE v.until = {CURRENT}""",
                (json.dumps(replaced),),
            )
        )
        self._connection.executemany(
            "UPDATE versions SET until = ? WHERE version = ?",
            [(self._revision, version) for version in closed.values()],
        )
        return closed

    def _version(self, fact: Fact) -> _Row:
        """The columns of a version after its own key and its fact's."""
        interval = fact.interval
        return (
            self._revision,
            CURRENT,
            self._entities[fact.subject],
            self._relations[fact.relation],
            self._entities[fact.object],
            interval.start,
            interval.end,
            fact.valid_from,
            fact.valid_to,
            fact.source,
            fact.external_id,
            _json(dict(fact.attributes)) if fact.attributes else None,
            fact.status,
            _json(fact.supersedes),
            None if fact.superseded_by is None else self._facts[fact.superseded_by],
            fact.statement.valid_to,
            fact.statement.ended,
            fact.statement.exclusive,
        )

    def _insert(self, table: str, rows: Sequence[_Row]) -> None:
        if rows:
            places = ", ".join("?" * len(rows[0]))
            self._connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)


def _entities(changes: Sequence[Change]) -> Iterator[str]:
    for change in changes:
        if change.after is not None:
            yield change.after.subject
            yield change.after.object
        if change.entity is not None:
            yield change.entity
        if change.target is not None:
            yield change.target


def _relations(changes: Sequence[Change]) -> Iterator[str]:
    for change in changes:
        if change.after is not None:
            yield change.after.relation
        if change.relation is not None:
            yield change.relation.name


def _facts(changes: Sequence[Change]) -> Iterator[str]:
    """The facts that changed, in order, and then those that closed any of them."""
    for change in changes:
        if change.fact_id is not None:
            yield change.fact_id
    for change in changes:
        if change.after is not None and change.after.superseded_by is not None:
            yield change.after.superseded_by


def _json(value: object) -> str | None:
    return json.dumps(value, ensure_ascii=False) if value else None
