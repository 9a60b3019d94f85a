"""The slots that a batch writes to, read at once: what planning would else ask one by one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from graph.fact import Fact
from graph.migrations import CURRENT
from graph.sqlite_keys import ENTITIES, RELATIONS, Keys
from graph.sqlite_rows import FACT, JOINS, to_fact
from graph.state import Entry, Slot

FEW = 32
"""Facts that a slot may have to be read whole. Of a longer one planning needs but a small part."""


@dataclass(frozen=True, slots=True)
class ShortSlot:
    """All facts of a slot, in order of first recording. Reads are those of State."""

    entries: Collection[Entry] = ()

    def around(self, start: int) -> list[Entry]:
        """The facts that begin at ``start``, or before it and hold until it or longer."""
        return [each for each in self.entries if each.begin <= start <= each.fact.interval.end]

    def following(self, start: int) -> Iterator[Entry]:
        """The facts that begin after ``start``, earliest first."""
        later = [each for each in self.entries if each.begin > start]
        return iter(sorted(later, key=lambda each: each.begin))

    def preceding(self, start: int) -> Iterator[Entry]:
        """The facts that begin before ``start``, latest first."""
        earlier = [each for each in self.entries if each.begin < start]
        return iter(sorted(earlier, key=lambda each: -each.begin))

    def contested(self) -> bool:
        """True when the slot has an exclusive fact."""
        return any(each.fact.statement.exclusive for each in self.entries)

    def stating(self, object: str) -> list[Fact]:
        """The facts that have this object."""
        return [each.fact for each in self.entries if each.fact.object == object]


EMPTY = ShortSlot()


def read_slots(
    connection: sqlite3.Connection, keys: Keys, slots: Collection[Slot]
) -> Mapping[Slot, ShortSlot]:
    """The slots that have few facts or none; those that have many are absent."""
    keys.look_up(ENTITIES, [subject for subject, _ in slots])
    keys.look_up(RELATIONS, [relation for _, relation in slots])
    found: dict[Slot, ShortSlot] = {}
    stored: dict[tuple[int, int], Slot] = {}
    for slot in slots:
        subject, relation = keys.find(ENTITIES, slot[0]), keys.find(RELATIONS, slot[1])
        if subject is None or relation is None:
            found[slot] = EMPTY
        else:
            stored[subject, relation] = slot
    if not stored:
        return found
    entries: dict[Slot, list[Entry]] = {slot: [] for slot in stored.values()}
    for row in connection.execute(
        f"""SELECT v.subject, v.relation, v.fact, {FACT} FROM json_each(?) j
            CROSS JOIN versions v ON v.version IN (
                SELECT version FROM versions INDEXED BY versions_by_slot
                WHERE until = {CURRENT} AND subject = json_extract(j.value, '$[0]')
                    AND relation = json_extract(j.value, '$[1]') LIMIT {FEW + 1})
            {JOINS} ORDER BY v.fact""",
        (json.dumps(list(stored)),),
    ):
        entries[stored[row[0], row[1]]].append(Entry(row[2], to_fact(row[3:])))
    found.update((slot, ShortSlot(all)) for slot, all in entries.items() if len(all) <= FEW)
    return found
