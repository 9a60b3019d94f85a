"""Under which names things are stored whose file knows them by identifiers, such as ``Q145``.

A file may say the name of a thing long after its first fact, so names are gathered first and looked
up when the whole file has been read. Two things never become one because they bear the same name:
``Paris (Q90)`` and ``Paris (Q830149)`` are told apart by their identifiers.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal

from graph.errors import InvalidFact
from graph.fact import Command, SetAliases
from graph.validate import MAX_JSON, check

Kind = Literal["entity", "relation", "label"]
"""Entities and relations have names of their own: a capital is one thing, ``capital`` another.
Labels are kept for readers that cannot tell yet of which kind a thing is.
"""

_REMEMBERED = 1 << 14
"""Names held in memory, in front of those on disk."""

_SCHEMA = """
CREATE TABLE names (
    kind TEXT, identifier TEXT, name TEXT, rank INTEGER, used INTEGER DEFAULT 0,
    PRIMARY KEY (kind, identifier)
) WITHOUT ROWID;
CREATE INDEX bearers ON names (kind, name);
CREATE TABLE aliases (identifier TEXT, alias TEXT, UNIQUE (identifier, alias));
"""

# One condition with OR would have every name of the kind looked through.
_SHARED = """
SELECT EXISTS (SELECT 1 FROM names WHERE kind = ? AND name = ? AND identifier != ?)
    OR EXISTS (SELECT 1 FROM names WHERE kind = ? AND identifier = ?)
"""


class Names:
    """Names gathered from a file, in a scratch database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(_SCHEMA)
        self.name = lru_cache(_REMEMBERED)(self._name)
        self.entity = lru_cache(_REMEMBERED)(self._entity)

    def offer(self, kind: Kind, identifier: str, name: str, rank: int) -> None:
        """A name that the identifier may go by; that of the least rank is taken, then the first.

        Raises InvalidFact for one that cannot be stored.
        """
        self._connection.execute(
            """INSERT INTO names (kind, identifier, name, rank) VALUES (?, ?, ?, ?)
               ON CONFLICT DO UPDATE SET name = excluded.name, rank = excluded.rank
               WHERE excluded.rank < rank""",
            (kind, identifier, _storable(name), rank),
        )

    def add_alias(self, identifier: str, alias: str) -> None:
        """Another name of an entity. Raises InvalidFact for one that cannot be stored."""
        row = (identifier, _storable(alias))
        self._connection.execute("INSERT OR IGNORE INTO aliases VALUES (?, ?)", row)

    def aliases(self) -> Iterator[Command]:
        """The other names of the entities that ``entity`` was asked for, identifiers with them."""
        used = self._connection.execute(
            "SELECT identifier, name FROM names WHERE kind = 'entity' AND used ORDER BY identifier"
        )
        for identifier, given in used:
            name = self.name("entity", identifier)
            if name is not None and _fits(name):
                others = [given, *self._given_aliases(identifier)]
                # An IRI may be too long for a name, and a blank node is another in the next file.
                if _fits(identifier) and not identifier.startswith("_:"):
                    others.append(identifier)
                yield from _in_parts(name, (o for o in dict.fromkeys(others) if o != name))

    def offered(self, kind: Kind, identifier: str) -> str | None:
        """The name of the least rank that was offered so far, though others may bear it."""
        row = self._connection.execute(
            "SELECT name FROM names WHERE kind = ? AND identifier = ?", (kind, identifier)
        ).fetchone()
        return None if row is None else str(row[0])

    def _name(self, kind: Kind, identifier: str) -> str | None:
        """The name that the identifier goes by, once all are gathered; None if none was offered."""
        name = self.offered(kind, identifier)
        if name is None or not self._is_shared(kind, identifier, name):
            return name
        return f"{name} ({identifier})"

    def _entity(self, identifier: str) -> str:
        """The name, else the identifier, of an entity that stands in a fact."""
        self._connection.execute(
            "UPDATE names SET used = 1 WHERE kind = 'entity' AND identifier = ? AND NOT used",
            (identifier,),
        )
        return self.name("entity", identifier) or identifier

    def _is_shared(self, kind: Kind, identifier: str, name: str) -> bool:
        """Whether another thing bears the name, or is known by it as its identifier. A thing whose
        name is its identifier keeps it.
        """
        if name == identifier:
            return False
        row = self._connection.execute(_SHARED, (kind, name, identifier, kind, name)).fetchone()
        return bool(row[0])

    def _given_aliases(self, identifier: str) -> Iterator[str]:
        rows = self._connection.execute(
            "SELECT alias FROM aliases WHERE identifier = ? ORDER BY rowid", (identifier,)
        )
        return (alias for (alias,) in rows)


def _storable(name: str) -> str:
    """The text as the store would keep it. Raises InvalidFact."""
    checked = check(SetAliases("entity", (name,)))
    return checked.aliases[0] if isinstance(checked, SetAliases) else name


def _fits(name: str) -> bool:
    try:
        return bool(_storable(name))
    except InvalidFact:
        return False


def _in_parts(entity: str, aliases: Iterable[str]) -> Iterator[Command]:
    """One command, or several where the aliases are too many for one."""
    part: list[str] = []
    for alias in aliases:
        if part and len(json.dumps([*part, alias], ensure_ascii=False).encode()) > MAX_JSON:
            yield check(SetAliases(entity, tuple(part)))
            part = []
        part.append(alias)
    if part:
        yield check(SetAliases(entity, tuple(part)))
