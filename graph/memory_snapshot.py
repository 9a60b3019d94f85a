"""The memory store at one revision: each read looks at every version and keeps what fits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Self

from graph.errors import NotFound
from graph.fact import Fact, Relation, Status
from graph.identity import turned
from graph.interval import Period
from graph.memory_records import Records


class MemorySnapshot:
    """Implements Snapshot. See there for what each read means."""

    def __init__(self, records: Records, revision: int) -> None:
        self._records = records
        self._revision = revision

    @property
    def revision(self) -> int:
        """The revision that this snapshot is pinned to."""
        return self._revision

    def get(self, fact_id: str) -> Fact:
        """The version current at this revision. Raises NotFound."""
        return self.history(fact_id)[-1]

    def facts(
        self,
        *,
        subject: str | None = None,
        relation: str | None = None,
        object: str | None = None,
        source: str | None = None,
        status: Status | None = None,
        as_of: Period | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Fact]:
        """Facts that pass every filter, in order of first recording."""
        stored = None if relation is None else self._inverses().get(relation)
        if stored is not None and relation is not None:
            found = self.facts(
                subject=object,
                relation=stored,
                object=subject,
                source=source,
                status=status,
                as_of=as_of,
                after=after,
                limit=limit,
            )
            return (turned(fact, relation) for fact in found)
        facts = self._current()
        if after is not None:
            place = facts.index(self.get(after))
            facts = facts[place + 1 :]
        subjects = None if subject is None else self.resolve(subject)
        objects = None if object is None else self.resolve(object)
        fitting = [
            fact
            for fact in facts
            if (subjects is None or fact.subject in subjects)
            and (objects is None or fact.object in objects)
            and (relation is None or fact.relation == relation)
            and (source is None or fact.source == source)
            and (fact.status != "retracted" if status is None else fact.status == status)
            and (as_of is None or fact.holds_in(as_of))
        ]
        return iter(fitting if limit is None else fitting[:limit])

    def slots(
        self, pairs: Iterable[tuple[str, str]], as_of: Period | None = None
    ) -> dict[tuple[str, str], list[Fact]]:
        """For each (subject, relation), its facts that hold in ``as_of``, latest start first.

        Of two that start together the later recorded comes first.
        """
        inverses = self._inverses()
        found: dict[tuple[str, str], list[Fact]] = {}
        with self._records.lock:
            positions = self._records.positions
            for subject, relation in pairs:
                if relation in inverses:
                    stored = self._turned_slot(subject, relation, inverses[relation])
                else:
                    stored = self._slot((subject, relation))
                facts = [fact for fact in stored if fact.holds_in(as_of)]
                if facts:
                    facts.sort(key=lambda fact: (-fact.interval.start, -positions[fact.id]))
                    found[subject, relation] = facts
        return found

    def history(self, fact_id: str) -> list[Fact]:
        """Every version recorded up to this revision, oldest first. Raises NotFound."""
        with self._records.lock:
            self._records.check_readable(self._revision)
            versions = self._records.versions.get(fact_id, ())
            known = [fact for fact in versions if fact.revision <= self._revision]
        if not known:
            raise NotFound(f"there is no fact {fact_id!r} at revision {self._revision}")
        return known

    def timeline(self, entity: str) -> list[Fact]:
        """Facts that hold somewhere and name the entity, by start, then relation."""
        names = self.resolve(entity)
        facts = [
            fact
            for fact in self._current()
            if (fact.subject in names or fact.object in names) and fact.holds_in(None)
        ]
        return sorted(facts, key=lambda fact: (fact.interval.start, fact.relation))

    def resolve(self, name: str) -> list[str]:
        """Entities that bear this name, the one of that canonical name first, then in order."""
        canonical, aliased = bool(self.aliases(name)), set()
        for fact in self._known_versions():
            canonical = canonical or name in (fact.subject, fact.object)
        with self._records.lock:
            canonical = canonical and not self._is_merged(name)
            for entity in self._records.aliases:
                if name in self.aliases(entity):
                    aliased.add(entity)
        return [name] * canonical + sorted(aliased)

    def aliases(self, entity: str) -> tuple[str, ...]:
        """Other names of an entity, in the order they were given."""
        with self._records.lock:
            self._records.check_readable(self._revision)
            given = () if self._is_merged(entity) else self._records.aliases.get(entity, ())
            return tuple(alias for revision, alias in given if revision <= self._revision)

    def relation(self, name: str) -> Relation:
        """Settings; an undeclared relation has the defaults."""
        return self._declared().get(name, Relation(name))

    def relations(self) -> list[Relation]:
        """Every relation declared or used up to this revision, by name."""
        used = {fact.relation: Relation(fact.relation) for fact in self._known_versions()}
        known = used | self._declared()
        return [known[name] for name in sorted(known)]

    def count(self) -> int:
        """Facts that are not retracted."""
        return sum(fact.status != "retracted" for fact in self._current())

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _slot(self, slot: tuple[str, str]) -> list[Fact]:
        known = self._records.current(self._records.slots.get(slot, ()), self._revision)
        return [fact for fact in known if (fact.subject, fact.relation) == slot]

    def _turned_slot(self, subject: str, relation: str, stored: str) -> list[Fact]:
        return [
            turned(fact, relation)
            for fact in self._current()
            if (fact.relation, fact.object) == (stored, subject)
        ]

    def _inverses(self) -> dict[str, str]:
        """The stored relation behind each inverse."""
        return {
            relation.inverse: name
            for name, relation in self._declared().items()
            if relation.inverse is not None
        }

    def _is_merged(self, entity: str) -> bool:
        merged = self._records.merged.get(entity)
        return merged is not None and merged[0] <= self._revision

    def _current(self) -> list[Fact]:
        with self._records.lock:
            self._records.check_readable(self._revision)
            return list(self._records.current(self._records.versions, self._revision))

    def _known_versions(self) -> list[Fact]:
        with self._records.lock:
            self._records.check_readable(self._revision)
            return [
                fact
                for versions in self._records.versions.values()
                for fact in versions
                if fact.revision <= self._revision
            ]

    def _declared(self) -> dict[str, Relation]:
        with self._records.lock:
            self._records.check_readable(self._revision)
            return {
                name: settings
                for name, declared in self._records.relations.items()
                for revision, settings in declared
                if revision <= self._revision
            }
