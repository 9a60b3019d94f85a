"""The SQLite store at its latest revision, inside a transaction: what planning reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from graph.errors import NotFound
from graph.fact import Fact, Relation
from graph.migrations import CURRENT
from graph.sqlite_rows import FACT, JOINS, to_fact, to_text, versions_of
from graph.state import Entry, Slot

_ENTITY = "(SELECT entity FROM entities WHERE name = ?)"
_RELATION = "(SELECT relation FROM relations WHERE name = ?)"


class SQLiteState:
    """Implements State. Lives as long as one transaction, and may remember what it read."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        last = self._row("SELECT revision, recorded_at FROM commits ORDER BY revision DESC LIMIT 1")
        self.revision: int = last[0] if last else 0
        self.recorded_at = to_text(last[1]) if last else ""
        # Keys of facts are dense and never deleted, so that the largest is the count.
        self.recorded: int = (self._row("SELECT max(fact) FROM facts") or (0,))[0] or 0
        self._relations: dict[str, Relation | None] = {}

    def entry(self, fact_id: str) -> Entry | None:
        """The fact; None when it was never recorded or is erased."""
        entries = self._entries("v.fact = (SELECT fact FROM facts WHERE id = ?)", fact_id)
        return entries[0] if entries else None

    def taken(self, fact_id: str) -> bool:
        """True when the id was ever used, also by a fact that is erased."""
        return self._row("SELECT 1 FROM facts WHERE id = ?", fact_id) is not None

    def versions(self, fact_id: str) -> Sequence[Fact]:
        """Every version of a fact, oldest first. Raises NotFound."""
        versions = versions_of(self._connection, fact_id, CURRENT)
        if not versions:
            raise NotFound(f"there is no fact {fact_id!r}")
        return versions

    def slot(self, slot: Slot) -> list[Entry]:
        """The facts of a slot."""
        return self._entries(f"v.subject = {_ENTITY} AND v.relation = {_RELATION}", *slot)

    def contested(self, slot: Slot) -> bool:
        """True when the slot has an exclusive fact."""
        found = self._row(
            f"""SELECT 1 FROM versions v WHERE v.exclusive AND v.until = {CURRENT}
                AND v.subject = {_ENTITY} AND v.relation = {_RELATION} LIMIT 1""",
            *slot,
        )
        return found is not None

    def stating(self, slot: Slot, object: str) -> list[Fact]:
        """The facts of a slot that have this object."""
        entries = self._entries(
            f"v.subject = {_ENTITY} AND v.relation = {_RELATION} AND v.object = {_ENTITY}",
            *slot,
            object,
        )
        return [entry.fact for entry in entries]

    def relation(self, name: str) -> Relation | None:
        """The settings declared for a relation."""
        if name not in self._relations:
            row = self._row(
                f"""SELECT cardinality, template FROM settings WHERE relation = {_RELATION}
                    ORDER BY revision DESC LIMIT 1""",
                name,
            )
            self._relations[name] = None if row is None else Relation(name, *row)
        return self._relations[name]

    def aliases(self, entity: str) -> tuple[str, ...]:
        """Other names of an entity."""
        rows = self._connection.execute(
            f"SELECT alias FROM aliases WHERE entity = {_ENTITY} ORDER BY rowid", (entity,)
        )
        return tuple(row[0] for row in rows)

    def _row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._connection.execute(query, values).fetchone()
        return row

    def _entries(self, where: str, *values: object) -> list[Entry]:
        rows = self._connection.execute(
            f"""SELECT v.fact, {FACT} FROM versions v {JOINS}
                WHERE v.until = {CURRENT} AND {where} ORDER BY v.fact""",
            values,
        )
        return [Entry(row[0], to_fact(row[1:])) for row in rows]
