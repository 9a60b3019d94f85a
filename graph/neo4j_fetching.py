"""Look-ups of the Neo4j store's latest revision, each for many keys in one round trip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from graph.fact import Fact, Relation
from graph.neo4j_connection import Row, Run
from graph.neo4j_rows import digest, to_fact, to_relation
from graph.neo4j_schema import CURRENT
from graph.state import Entry, Slot

Key = TypeVar("Key")
Value = TypeVar("Value")


class Remembered(Generic[Key, Value]):
    """What was looked up, by key.

    ``look_up`` answers for many keys at once; ``absent`` stands for those that it leaves out.
    """

    def __init__(self, look_up: Callable[[list[Key]], Mapping[Key, Value]], absent: Value) -> None:
        self._look_up = look_up
        self._absent = absent
        self._known: dict[Key, Value] = {}

    def __getitem__(self, key: Key) -> Value:
        self.fetch([key])
        return self._known[key]

    def fetch(self, keys: Iterable[Key]) -> None:
        """Look up those of the keys that were not before, all at once."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._known]
        if missing:
            self._known |= dict.fromkeys(missing, self._absent)
            self._known |= self._look_up(missing)

    def values(self) -> Iterable[Value]:
        """All that was looked up so far."""
        return self._known.values()


class LookUps:
    """The statements; each method answers for the keys that it finds something for."""

    def __init__(self, run: Run, graph: str) -> None:
        self._run = run
        self._graph = graph

    def facts(self, fact_ids: list[str]) -> dict[str, tuple[Entry | None]]:
        """Ids ever used, each with its fact unless that is erased."""
        rows = self._rows(
            """UNWIND $keys AS key
               MATCH (f:Fact {graph: $graph, id: key})
               OPTIONAL MATCH (f)<-[:OF]-(v:Version) WHERE v.until = $current
               RETURN key, properties(v) AS version""",
            fact_ids,
        )
        return {
            row["key"]: (None if row["version"] is None else to_entry(row["version"]),)
            for row in rows
        }

    def versions(self, fact_ids: list[str]) -> Mapping[str, Sequence[Fact]]:
        """Every version of facts, oldest first."""
        rows = self._rows(
            """UNWIND $keys AS key
               MATCH (:Fact {graph: $graph, id: key})<-[:OF]-(v:Version)
               RETURN key, properties(v) AS version ORDER BY v.revision""",
            fact_ids,
        )
        return _grouped((row["key"], to_fact(row["version"])) for row in rows)

    def contested(self, slots: list[Slot]) -> dict[Slot, bool]:
        """Slots that have an exclusive fact."""
        keys = {digest(*slot): slot for slot in slots}
        rows = self._rows(
            """UNWIND $keys AS key
               MATCH (v:Version {graph: $graph, slot: key, exclusive: true})
               WHERE v.until = $current RETURN DISTINCT key""",
            list(keys),
        )
        return {keys[row["key"]]: True for row in rows}

    def stating(self, claims: list[tuple[Slot, str]]) -> Mapping[tuple[Slot, str], Sequence[Fact]]:
        """The facts of slots that have these objects, in order of first recording."""
        keys = {digest(*slot, object): (slot, object) for slot, object in claims}
        rows = self._rows(
            """UNWIND $keys AS key
               MATCH (v:Version {graph: $graph, claim: key}) WHERE v.until = $current
               RETURN key, properties(v) AS version ORDER BY v.position""",
            list(keys),
        )
        return _grouped((keys[row["key"]], to_fact(row["version"])) for row in rows)

    def short_slots(self, slots: Iterable[Slot], most: int) -> dict[Slot, list[Entry]] | None:
        """The facts of slots, in order of their start, unless all slots together have ``most``."""
        keys = {digest(*slot): slot for slot in slots}
        rows = self._rows(
            """UNWIND $keys AS key
               MATCH (v:Version {graph: $graph, slot: key})
               WHERE v.begins IS NOT NULL AND v.until = $current
               RETURN key, properties(v) AS version LIMIT $most""",
            list(keys),
            most=most,
        )
        if len(rows) == most:
            return None
        entries = _grouped((keys[row["key"]], to_entry(row["version"])) for row in rows)
        return {slot: sorted(entries.get(slot, ()), key=_place) for slot in keys.values()}

    def targets(self, names: list[str]) -> dict[str, str | None]:
        """Entities that were merged, with what they were merged into."""
        rows = self._rows(
            """UNWIND $keys AS key
               MATCH (:Entity {graph: $graph, name: key})-[:MERGED]->(target:Entity)
               RETURN key, target.name AS target""",
            names,
        )
        return {row["key"]: row["target"] for row in rows}

    def aliases(self, entities: list[str]) -> dict[str, tuple[str, ...]]:
        """Other names of entities, in the order they were given."""
        rows = self._rows(
            """UNWIND $keys AS key
               MATCH (a:Alias {graph: $graph, entity: key})
               RETURN key, a.alias AS alias ORDER BY a.revision, a.rank""",
            entities,
        )
        grouped = _grouped((row["key"], row["alias"]) for row in rows)
        return {entity: tuple(aliases) for entity, aliases in grouped.items()}

    def relations(self, names: list[str]) -> dict[str, Relation | None]:
        """Relations that are declared, with their settings."""
        rows = self._rows(
            """UNWIND $keys AS key
               MATCH (s:Setting {graph: $graph, relation: key})
               WHERE s.revision IS NOT NULL AND s.until = $current
               RETURN key, properties(s) AS setting""",
            names,
        )
        return {row["key"]: to_relation(row["setting"]) for row in rows}

    def inverses(self, names: list[str]) -> dict[str, Relation | None]:
        """Names that a relation declares as its inverse, with that relation."""
        rows = self._rows(
            """UNWIND $keys AS key
               MATCH (s:Setting {graph: $graph, inverse: key}) WHERE s.until = $current
               RETURN key, properties(s) AS setting""",
            names,
        )
        return {row["key"]: to_relation(row["setting"]) for row in rows}

    def _rows(self, statement: str, keys: list[str], **values: object) -> list[Row]:
        return self._run(statement, graph=self._graph, current=CURRENT, keys=keys, **values)


def to_entry(version: Row) -> Entry:
    """A fact with its place, from the properties of a Version."""
    return Entry(version["position"], to_fact(version))


def _place(entry: Entry) -> tuple[int, int]:
    return entry.fact.interval.start, entry.position


def _grouped(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, list[Value]]:
    groups: dict[Key, list[Value]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups
