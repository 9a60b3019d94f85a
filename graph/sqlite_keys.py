"""The integer keys that texts go by in the SQLite store, looked up and made many at a time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import NamedTuple


class Table(NamedTuple):
    """Where a kind of text is stored: its table, and the columns of its key and of itself."""

    name: str
    key: str
    text: str


ENTITIES = Table("entities", "entity", "name")
RELATIONS = Table("relations", "relation", "name")
FACTS = Table("facts", "fact", "id")


class Keys:
    """Keys by text, remembered for as long as one write transaction lasts."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[Table, dict[str, int | None]] = {
            table: {} for table in (ENTITIES, RELATIONS, FACTS)
        }

    def look_up(self, table: Table, texts: Iterable[str]) -> None:
        """Find the keys of texts at once, so that asking for them later reads nothing."""
        known = self._known[table]
        unknown = [text for text in dict.fromkeys(texts) if text not in known]
        if not unknown:
            return
        known.update(dict.fromkeys(unknown))
        known.update(
            self._connection.execute(
                f"""SELECT t.{table.text}, t.{table.key} FROM json_each(?) j
                    CROSS JOIN {table.name} t ON t.{table.text} = j.value""",
                (json.dumps(unknown),),
            )
        )

    def find(self, table: Table, text: str) -> int | None:
        """The key of a text; None when it is not stored."""
        known = self._known[table]
        if text not in known:
            self.look_up(table, (text,))
        return known[text]

    def make(self, table: Table, texts: Iterable[str]) -> dict[str, int]:
        """The keys of these texts and of all that were asked for before; those that are not stored
        yet are stored now, in the order given.
        """
        texts = dict.fromkeys(texts)
        self.look_up(table, texts)
        known = self._known[table]
        missing = [text for text in texts if known[text] is None]
        if missing:
            (last,) = self._connection.execute(
                f"SELECT coalesce(max({table.key}), 0) FROM {table.name}"
            ).fetchone()
            made = dict(zip(missing, range(last + 1, last + 1 + len(missing)), strict=True))
            self._connection.executemany(
                f"INSERT INTO {table.name} ({table.text}, {table.key}) VALUES (?, ?)", made.items()
            )
            known.update(made)
        return {text: key for text in texts if (key := known[text]) is not None}
