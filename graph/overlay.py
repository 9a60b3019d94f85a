"""The effects of a batch, laid over a store's latest revision: what later commands of it see."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from operator import attrgetter
from typing import NamedTuple

from graph.fact import Fact, Relation
from graph.state import Entry, Slot, State
from graph.store import Change, ChangeKind


class _Place(NamedTuple):
    """Where a touched fact stands in its slot, in order of its start."""

    begin: int
    position: int
    end: int
    fact_id: str


class Overlay:
    """A state with a batch's effects laid over it: what later commands of the batch see.

    It remembers what each touched thing was before, so that the batch can be told as net changes.
    """

    def __init__(self, base: State) -> None:
        self.base = base
        self._facts: dict[str, Entry | None] = {}
        self._before: dict[str, Fact | None] = {}
        self._kinds: dict[str, ChangeKind] = {}
        self._placed: defaultdict[Slot, list[_Place]] = defaultdict(list)
        self._saying: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
        self._relations: dict[str, Relation] = {}
        self._aliases: defaultdict[str, list[str]] = defaultdict(list)
        self._merged: dict[str, str] = {}
        self._order: dict[tuple[str, str], None] = {}
        self.recorded = base.recorded

    # Reading.

    def entry(self, fact_id: str) -> Entry | None:
        """The fact as the batch has left it so far; None when it does not exist or is erased."""
        return self._facts[fact_id] if fact_id in self._facts else self.base.entry(fact_id)

    def before(self, fact_id: str) -> Fact | None:
        """The fact as it was before the batch; None when the batch recorded it."""
        if fact_id in self._before:
            return self._before[fact_id]
        entry = self.base.entry(fact_id)
        return None if entry is None else entry.fact

    def taken(self, fact_id: str) -> bool:
        """True when the id was ever used."""
        return fact_id in self._facts or self.base.taken(fact_id)

    def around(self, slot: Slot, start: int) -> list[Entry]:
        """The facts that begin at ``start``, or before it and hold until it or longer, in order of
        first recording.
        """
        entries = list(self._untouched(self.base.around(slot, start)))
        for place in self._up_to(slot, start + 1):
            if place.end >= start:
                entries.append(self._touched_fact(place))
        return sorted(entries, key=lambda entry: entry.position)

    def following(self, slot: Slot, start: int) -> Iterator[Entry]:
        """The facts that begin after ``start``, earliest first."""
        places = self._placed.get(slot, [])
        touched = places[bisect_left(places, (start + 1,)) :]
        base = self._untouched(self.base.following(slot, start))
        if not touched:
            return base
        return merge(base, map(self._touched_fact, touched), key=attrgetter("begin"))

    def preceding(self, slot: Slot, start: int) -> Iterator[Entry]:
        """The facts that begin before ``start``, latest first."""
        base = self._untouched(self.base.preceding(slot, start))
        touched = map(self._touched_fact, reversed(self._up_to(slot, start)))
        return merge(base, touched, key=attrgetter("begin"), reverse=True)

    def naming(self, entity: str) -> list[Entry]:
        """The facts that have the entity as subject or object, in order of first recording."""
        entries = list(self._untouched(self.base.naming(entity)))
        entries += [
            entry
            for entry in self._facts.values()
            if entry is not None and entity in (entry.fact.subject, entry.fact.object)
        ]
        return sorted(entries, key=lambda entry: entry.position)

    def contested(self, slot: Slot) -> bool:
        """True when an exclusive fact stands in the slot, or stood there before the batch."""
        touched = self._touched(slot)
        return any(entry.fact.statement.exclusive for entry in touched) or self.base.contested(slot)

    def stating(self, slot: Slot, object: str) -> list[Fact]:
        """The facts of a slot that have this object."""
        facts = [fact for fact in self.base.stating(slot, object) if fact.id not in self._facts]
        touched = (self._facts[fact_id] for fact_id in self._saying.get((*slot, object), ()))
        entries = sorted(filter(None, touched), key=lambda entry: entry.position)
        return facts + [entry.fact for entry in entries]

    def relation(self, name: str) -> Relation | None:
        """The settings declared for a relation."""
        return self._relations[name] if name in self._relations else self.base.relation(name)

    def inverse_of(self, name: str) -> Relation | None:
        """The relation that declares ``name`` as its inverse."""
        for relation in self._relations.values():
            if relation.inverse == name:
                return relation
        known = self.base.inverse_of(name)
        return None if known is None or known.name in self._relations else known

    def uses(self, relation: str) -> bool:
        """True when a fact that is not retracted has this relation."""
        touched = (entry.fact for entry in self._facts.values() if entry is not None)
        return any(
            fact.relation == relation and fact.status != "retracted" for fact in touched
        ) or any(self._untouched(self.base.using(relation)))

    def aliases(self, entity: str) -> tuple[str, ...]:
        """Other names of an entity."""
        if entity in self._merged:
            return ()
        return (*self.base.aliases(entity), *self._aliases.get(entity, ()))

    def canonical(self, name: str) -> str:
        """The entity that is written when this one is named: itself, or what it was merged into."""
        while True:
            target = self._merged.get(name) or self.base.merged_into(name)
            if target is None:
                return name
            name = target

    # Writing.

    def put(self, entry: Entry, kind: ChangeKind) -> None:
        """Lay a fact's next version over the one before.

        The last command names the kind; a supersession that it brings about elsewhere does not hide
        what another command did there.
        """
        fact_id, fact = entry.fact.id, entry.fact
        self._leave(fact_id)
        self.recorded = max(self.recorded, entry.position)
        if kind != "supersede" or fact_id not in self._kinds:
            self._kinds[fact_id] = kind
        self._facts[fact_id] = entry
        insort(self._placed[fact.subject, fact.relation], _place(entry))
        self._saying[fact.subject, fact.relation, fact.object].add(fact_id)

    def erase(self, fact_id: str) -> None:
        """Leave nothing of a fact but its id."""
        self._leave(fact_id)
        self._facts[fact_id] = None

    def declare(self, relation: Relation) -> None:
        """Lay a relation's settings over the ones before."""
        self._relations[relation.name] = relation
        self._order.setdefault(("relation", relation.name))

    def name(self, entity: str, names: Sequence[str]) -> bool:
        """Add other names to an entity; True when some are new."""
        if not names:
            return False
        known = {entity, *self.aliases(entity)}
        added = [name for name in names if name not in known]
        if added:
            self._aliases[entity] += added
            self._order.setdefault(("alias", entity))
        return bool(added)

    def merge(self, source: str, target: str) -> None:
        """Let the names of an entity be names of another, and what names it mean the other."""
        names = (source, *self.aliases(source))
        self._merged[source] = target
        self._order.setdefault(("merge", source))
        self.name(target, names)

    # Telling.

    def changes(self, revision: int, recorded_at: str) -> tuple[Change, ...]:
        """The batch's net changes, in order of first touch; new versions bear the stamp given."""
        changes = []
        for what, key in self._order:
            if what == "relation":
                if self._relations[key] != self.base.relation(key):
                    changes.append(Change("relation", relation=self._relations[key]))
            elif what == "alias":
                changes.append(Change("alias", entity=key, aliases=tuple(self._aliases[key])))
            elif what == "merge":
                changes.append(Change("merge", entity=key, target=self._merged[key]))
            else:
                changes += self._fact_change(key, revision, recorded_at)
        return tuple(changes)

    def _fact_change(self, fact_id: str, revision: int, recorded_at: str) -> list[Change]:
        before, entry = self._before[fact_id], self._facts[fact_id]
        if entry is None:
            return [Change("erase", fact_id)]
        if entry.fact == before:
            return []
        after = entry.fact
        if after.revision != revision:
            after = after.stamped(revision, recorded_at)
        return [Change("add" if before is None else self._kinds[fact_id], fact_id, before, after)]

    def _untouched(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        return (entry for entry in entries if entry.fact.id not in self._facts)

    def _touched(self, slot: Slot) -> Iterator[Entry]:
        return map(self._touched_fact, self._placed.get(slot, ()))

    def _touched_fact(self, place: _Place) -> Entry:
        entry = self._facts[place.fact_id]
        assert entry is not None  # noqa: S101 - an erased fact has no place
        return entry

    def _up_to(self, slot: Slot, start: int) -> list[_Place]:
        """The places of touched facts that begin before ``start``."""
        places = self._placed.get(slot, [])
        return places[: bisect_left(places, (start,))]

    def _leave(self, fact_id: str) -> None:
        if fact_id not in self._facts:
            self._before[fact_id] = self.before(fact_id)
            self._order["fact", fact_id] = None
            return
        entry = self._facts[fact_id]
        if entry is not None:
            fact = entry.fact
            places = self._placed[fact.subject, fact.relation]
            del places[bisect_left(places, _place(entry))]
            self._saying[fact.subject, fact.relation, fact.object].discard(fact_id)


def _place(entry: Entry) -> _Place:
    interval = entry.fact.interval
    return _Place(interval.start, entry.position, interval.end, entry.fact.id)
