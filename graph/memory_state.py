"""The memory store at its latest revision: what planning reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graph.errors import NotFound
from graph.fact import Fact, Relation
from graph.memory_records import Records
from graph.state import Entry, Slot


class MemoryState:
    """Implements State. See there for what each read means. Lives as long as one apply."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.revision = records.revision
        self.recorded_at = records.recorded_at
        self.recorded = len(records.versions)

    def entry(self, fact_id: str) -> Entry | None:
        """The fact; None when it was never recorded or is erased."""
        versions = self._records.versions.get(fact_id)
        return Entry(self._records.positions[fact_id], versions[-1]) if versions else None

    def taken(self, fact_id: str) -> bool:
        """True when the id was ever used."""
        return fact_id in self._records.versions

    def versions(self, fact_id: str) -> Sequence[Fact]:
        """Every version of a fact that is left, oldest first. Raises NotFound."""
        versions = self._records.versions.get(fact_id)
        if not versions:
            raise NotFound(f"there is no fact {fact_id!r}")
        return versions

    def around(self, slot: Slot, start: int) -> list[Entry]:
        """The facts that begin at ``start``, or before it and hold until it or longer."""
        return [
            entry for entry in self._slot(slot) if entry.begin <= start <= entry.fact.interval.end
        ]

    def following(self, slot: Slot, start: int) -> Iterator[Entry]:
        """The facts that begin after ``start``, earliest first."""
        later = [entry for entry in self._slot(slot) if entry.begin > start]
        return iter(sorted(later, key=lambda entry: entry.begin))

    def preceding(self, slot: Slot, start: int) -> Iterator[Entry]:
        """The facts that begin before ``start``, latest first."""
        earlier = [entry for entry in self._slot(slot) if entry.begin < start]
        return iter(sorted(earlier, key=lambda entry: -entry.begin))

    def naming(self, entity: str) -> list[Entry]:
        """The facts that have the entity as subject or object."""
        return [
            self._entry(fact) for fact in self._current() if entity in (fact.subject, fact.object)
        ]

    def contested(self, slot: Slot) -> bool:
        """True when the slot has an exclusive fact."""
        return any(entry.fact.statement.exclusive for entry in self._slot(slot))

    def stating(self, slot: Slot, object: str) -> list[Fact]:
        """The facts of a slot that have this object, in order of first recording."""
        entries = sorted(self._slot(slot), key=lambda entry: entry.position)
        return [entry.fact for entry in entries if entry.fact.object == object]

    def relation(self, name: str) -> Relation | None:
        """The settings declared for a relation."""
        settings = self._records.relations.get(name)
        return settings[-1][1] if settings else None

    def inverse_of(self, name: str) -> Relation | None:
        """The relation that declares ``name`` as its inverse."""
        declared = (settings[-1][1] for settings in self._records.relations.values())
        return next((relation for relation in declared if relation.inverse == name), None)

    def using(self, relation: str) -> Iterator[Entry]:
        """The facts that have this relation and are not retracted."""
        for fact in self._current():
            if fact.relation == relation and fact.status != "retracted":
                yield self._entry(fact)

    def aliases(self, entity: str) -> tuple[str, ...]:
        """Other names of an entity; none once it is merged."""
        if entity in self._records.merged:
            return ()
        return tuple(alias for _, alias in self._records.aliases.get(entity, ()))

    def merged_into(self, entity: str) -> str | None:
        """The entity that this one was merged into."""
        merged = self._records.merged.get(entity)
        return None if merged is None else merged[1]

    def _slot(self, slot: Slot) -> list[Entry]:
        current = self._records.current(self._records.slots.get(slot, ()), self.revision)
        return [self._entry(fact) for fact in current if (fact.subject, fact.relation) == slot]

    def _current(self) -> Iterator[Fact]:
        return self._records.current(self._records.versions, self.revision)

    def _entry(self, fact: Fact) -> Entry:
        return Entry(self._records.positions[fact.id], fact)
