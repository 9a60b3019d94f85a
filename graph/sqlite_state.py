"""The SQLite store at its latest revision, inside a transaction: what planning reads."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from heapq import merge
from operator import attrgetter
from typing import Any

from graph.errors import NotFound
from graph.fact import Add, Command, Correct, End, Erase, Fact, Relation, Retract
from graph.interval import MIN_SECONDS
from graph.migrations import CURRENT
from graph.sqlite_keys import ENTITIES, FACTS, Keys
from graph.sqlite_rows import FACT, JOINS, to_fact, to_text, versions_of
from graph.sqlite_slots import read_slots
from graph.state import Entry, Slot

_ENTITY = "(SELECT entity FROM entities WHERE name = ?)"
_RELATION = "(SELECT relation FROM relations WHERE name = ?)"
_IN_SLOT = f"""v.until = {CURRENT}
    AND v.subject = {_ENTITY} AND v.relation = {_RELATION} AND v.exclusive = ?"""
_CURRENT_IN_SLOT = f"versions v INDEXED BY versions_by_slot WHERE {_IN_SLOT}"
_CHANGES = (End, Correct, Retract, Erase)


class SQLiteState:
    """Implements State. Lives as long as one batch's part of a transaction.

    What planning ``commands`` is likely to ask is read at once, and remembered.
    """

    def __init__(self, connection: sqlite3.Connection, commands: Sequence[Command] = ()) -> None:
        self._connection = connection
        last = self._row("SELECT revision, recorded_at FROM commits ORDER BY revision DESC LIMIT 1")
        self.revision: int = last[0] if last else 0
        self.recorded_at = to_text(last[1]) if last else ""
        # Keys of facts are dense and never deleted, so that the largest is the count.
        self.recorded: int = (self._row("SELECT max(fact) FROM facts") or (0,))[0] or 0
        self._relations: dict[str, Relation | None] = {}
        self._inverses: dict[str, Relation | None] = {}
        self._merges = self._row("SELECT 1 FROM merges LIMIT 1") is not None
        self.keys = Keys(connection)
        self._read_ahead(commands)

    def entry(self, fact_id: str) -> Entry | None:
        """The fact; None when it was never recorded or is erased."""
        key = self.keys.find(FACTS, fact_id)
        if key is None:
            return None
        if key not in self._known:
            self._known[key] = next(self._entries("v.fact = ?", key), None)
        return self._known[key]

    def taken(self, fact_id: str) -> bool:
        """True when the id was ever used, also by a fact that is erased."""
        return self.keys.find(FACTS, fact_id) is not None

    def versions(self, fact_id: str) -> Sequence[Fact]:
        """Every version of a fact, oldest first. Raises NotFound."""
        versions = versions_of(self._connection, fact_id, CURRENT)
        if not versions:
            raise NotFound(f"there is no fact {fact_id!r}")
        return versions

    def around(self, slot: Slot, start: int) -> list[Entry]:
        """The facts of a slot that begin at ``start``, or before it and hold until it or longer."""
        short = self._short.get(slot)
        if short is not None:
            return short.around(start)
        earliest = {True: self._earliest_around(slot, start), False: MIN_SECONDS}
        return [
            entry
            for exclusive in (True, False)
            for entry in self._in_slot(
                slot,
                exclusive,
                "v.begins BETWEEN ? AND ? AND v.ends >= ?",
                (earliest[exclusive], start, start),
            )
        ]

    def following(self, slot: Slot, start: int) -> Iterator[Entry]:
        """The facts of a slot that begin after ``start``, earliest first."""
        short = self._short.get(slot)
        if short is not None:
            return short.following(start)
        walks = (
            self._in_slot(slot, exclusive, "v.begins > ? ORDER BY v.begins", (start,))
            for exclusive in (True, False)
        )
        return merge(*walks, key=attrgetter("begin"))

    def preceding(self, slot: Slot, start: int) -> Iterator[Entry]:
        """The facts of a slot that begin before ``start``, latest first."""
        short = self._short.get(slot)
        if short is not None:
            return short.preceding(start)
        walks = (
            self._in_slot(slot, exclusive, "v.begins < ? ORDER BY v.begins DESC", (start,))
            for exclusive in (True, False)
        )
        return merge(*walks, key=attrgetter("begin"), reverse=True)

    def naming(self, entity: str) -> list[Entry]:
        """The facts that have the entity as subject or object."""
        entries = self._entries(
            f"""v.version IN (SELECT version FROM versions WHERE subject = {_ENTITY}
                UNION SELECT version FROM versions WHERE object = {_ENTITY})""",
            entity,
            entity,
        )
        return list(entries)

    def contested(self, slot: Slot) -> bool:
        """True when the slot has an exclusive fact."""
        short = self._short.get(slot)
        if short is not None:
            return short.contested()
        return self._row(f"SELECT 1 FROM {_CURRENT_IN_SLOT} LIMIT 1", *slot, True) is not None

    def stating(self, slot: Slot, object: str) -> list[Fact]:
        """The facts of a slot that have this object."""
        short = self._short.get(slot)
        if short is not None:
            return short.stating(object)
        rows = self._connection.execute(
            f"""SELECT {FACT} FROM versions v INDEXED BY versions_by_object {JOINS}
                WHERE v.object = {_ENTITY} AND v.subject = {_ENTITY} AND v.relation = {_RELATION}
                    AND v.until = {CURRENT} ORDER BY v.fact""",
            (object, *slot),
        )
        return [to_fact(row) for row in rows]

    def relation(self, name: str) -> Relation | None:
        """The settings declared for a relation."""
        if name not in self._relations:
            row = self._row(
                f"""SELECT cardinality, template, inverse FROM settings
                    WHERE relation = {_RELATION} ORDER BY revision DESC LIMIT 1""",
                name,
            )
            self._relations[name] = None if row is None else Relation(name, *row)
        return self._relations[name]

    def inverse_of(self, name: str) -> Relation | None:
        """The relation that declares ``name`` as its inverse."""
        if name not in self._inverses:
            row = self._row(
                """SELECT r.name, g.cardinality, g.template, g.inverse
                   FROM settings g CROSS JOIN relations r ON r.relation = g.relation
                   WHERE g.inverse = ? AND g.revision =
                       (SELECT max(revision) FROM settings WHERE relation = g.relation)""",
                name,
            )
            self._inverses[name] = None if row is None else Relation(*row)
        return self._inverses[name]

    def using(self, relation: str) -> Iterator[Entry]:
        """The facts that have this relation and are not retracted."""
        return self._entries(f"v.relation = {_RELATION} AND v.status != 'retracted'", relation)

    def aliases(self, entity: str) -> tuple[str, ...]:
        """Other names of an entity; none once it is merged."""
        if self.keys.find(ENTITIES, entity) is None:
            return ()
        if self.merged_into(entity) is not None:
            return ()
        rows = self._connection.execute(
            f"SELECT alias FROM aliases WHERE entity = {_ENTITY} ORDER BY rowid", (entity,)
        )
        return tuple(row[0] for row in rows)

    def merged_into(self, entity: str) -> str | None:
        """The entity that this one was merged into."""
        if not self._merges or self.keys.find(ENTITIES, entity) is None:
            return None
        row = self._row(
            f"""SELECT t.name FROM merges m CROSS JOIN entities t ON t.entity = m.target
                WHERE m.entity = {_ENTITY}""",
            entity,
        )
        return None if row is None else row[0]

    def _read_ahead(self, commands: Sequence[Command]) -> None:
        adds = [command for command in commands if isinstance(command, Add)]
        changed = [each.fact_id for each in commands if isinstance(each, _CHANGES)]
        # Facts without an id are named after their place.
        places = range(self.recorded + 1, self.recorded + 1 + len(adds))
        self.keys.look_up(FACTS, (f"f{place}" for place in places))
        own = [add.id for add in adds if add.id is not None]
        self._known = self._entries_of([*changed, *own])
        self.keys.look_up(ENTITIES, (name for add in adds for name in (add.subject, add.object)))
        slots = {(add.subject, add.relation) for add in adds}
        known = (entry.fact for entry in self._known.values() if entry is not None)
        slots.update((fact.subject, fact.relation) for fact in known)
        self._short = read_slots(self._connection, self.keys, slots)

    def _entries_of(self, ids: Sequence[str]) -> dict[int, Entry | None]:
        """The facts with these ids by their keys; None for an erased one."""
        self.keys.look_up(FACTS, ids)
        stored = [key for id in ids if (key := self.keys.find(FACTS, id)) is not None]
        found: dict[int, Entry | None] = dict.fromkeys(stored)
        if stored:
            chosen = "v.fact IN (SELECT value FROM json_each(?))"
            entries = self._entries(chosen, json.dumps(list(found)))
            found.update((entry.position, entry) for entry in entries)
        return found

    def _earliest_around(self, slot: Slot, start: int) -> int:
        """Before which no exclusive fact of the slot can hold up to ``start``.

        Of the exclusive facts that hold somewhere before ``start``, take the last, and the last
        with another object. What begins before both contradicts at least one, so it ended there.
        """
        standing = f"{_CURRENT_IN_SLOT} AND begins < ? AND begins < ends"
        row = self._row(
            f"""SELECT (SELECT begins FROM {standing} AND object != latest.object
                        ORDER BY begins DESC LIMIT 1)
                FROM (SELECT object FROM {standing} ORDER BY begins DESC LIMIT 1) latest""",
            *(*slot, True, start) * 2,
        )
        return MIN_SECONDS if row is None or row[0] is None else row[0]

    def _in_slot(
        self, slot: Slot, exclusive: bool, where: str, values: tuple[object, ...]
    ) -> Iterator[Entry]:
        """Facts of a slot that are exclusive, or not, read from the index as they are needed."""
        rows = self._connection.execute(
            f"SELECT v.fact, {FACT} FROM versions v INDEXED BY versions_by_slot {JOINS} "
            f"WHERE {_IN_SLOT} AND {where}",
            (*slot, exclusive, *values),
        )
        return (Entry(row[0], to_fact(row[1:])) for row in rows)

    def _row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._connection.execute(query, values).fetchone()
        return row

    def _entries(self, where: str, *values: object) -> Iterator[Entry]:
        rows = self._connection.execute(
            f"""SELECT v.fact, {FACT} FROM versions v {JOINS}
                WHERE v.until = {CURRENT} AND {where} ORDER BY v.fact""",
            values,
        )
        return (Entry(row[0], to_fact(row[1:])) for row in rows)
