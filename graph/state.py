"""What planning sees: a store's latest revision, and the effects of a batch laid over it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from graph.fact import Fact, Relation
from graph.store import Change, ChangeKind

Slot = tuple[str, str]
"""(subject, relation): the facts that may contradict one another share one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact as it is now, with its place in the order of first recording (1, 2, …)."""

    position: int
    fact: Fact


class State(Protocol):
    """A store at its latest revision, retracted facts included."""

    @property
    def revision(self) -> int:
        """The latest revision."""
        ...

    @property
    def recorded_at(self) -> str:
        """When the latest commit was recorded; empty when there is none."""
        ...

    @property
    def recorded(self) -> int:
        """How many facts were ever recorded, erased ones included."""
        ...

    def entry(self, fact_id: str) -> Entry | None:
        """The fact; None when it was never recorded or is erased."""
        ...

    def taken(self, fact_id: str) -> bool:
        """True when the id was ever used, also by a fact that is erased."""
        ...

    def versions(self, fact_id: str) -> Sequence[Fact]:
        """Every version of a fact, oldest first. Raises NotFound."""
        ...

    def around(self, slot: Slot, start: int) -> list[Entry]:
        """The facts of a slot that begin at ``start`` (seconds), or before it and hold until it or
        longer, as they are now: ``begin <= start <= end``. In any order.
        """
        ...

    def following(self, slot: Slot, start: int) -> Iterator[Entry]:
        """The facts of a slot that begin after ``start``, earliest first. Lazy: mostly only the
        first ones are needed of many.
        """
        ...

    def preceding(self, slot: Slot, start: int) -> Iterator[Entry]:
        """The facts of a slot that begin before ``start``, latest first. Lazy."""
        ...

    def naming(self, entity: str) -> list[Entry]:
        """The facts that have the entity as subject or object, by its canonical name."""
        ...

    def contested(self, slot: Slot) -> bool:
        """True when the slot has an exclusive fact: without one, nothing in it supersedes."""
        ...

    def stating(self, slot: Slot, object: str) -> list[Fact]:
        """The facts of a slot that have this object."""
        ...

    def relation(self, name: str) -> Relation | None:
        """The settings declared for a relation."""
        ...

    def inverse_of(self, name: str) -> Relation | None:
        """The relation that declares ``name`` as its inverse now."""
        ...

    def used(self, relation: str) -> bool:
        """True when a fact that is not retracted has this relation."""
        ...

    def aliases(self, entity: str) -> tuple[str, ...]:
        """Other names of an entity; none once it is merged."""
        ...

    def merged_into(self, entity: str) -> str | None:
        """The entity that this one was merged into, which may be merged itself; None if it was
        not.
        """
        ...


class Overlay:
    """A state with a batch's effects laid over it: what later commands of the batch see.

    It remembers what each touched thing was before, so that the batch can be told as net changes.
    """

    def __init__(self, base: State) -> None:
        self.base = base
        self._facts: dict[str, Entry | None] = {}
        self._before: dict[str, Fact | None] = {}
        self._kinds: dict[str, ChangeKind] = {}
        self._placed: defaultdict[Slot, set[str]] = defaultdict(set)
        self._relations: dict[str, Relation] = {}
        self._aliases: defaultdict[str, list[str]] = defaultdict(list)
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

    def slot(self, slot: Slot) -> list[Entry]:
        """The facts of a slot in order of first recording."""
        entries = [entry for entry in self.base.slot(slot) if entry.fact.id not in self._facts]
        return sorted(entries + self._touched(slot), key=lambda entry: entry.position)

    def contested(self, slot: Slot) -> bool:
        """True when an exclusive fact stands in the slot, or stood there before the batch."""
        touched = self._touched(slot)
        return any(entry.fact.statement.exclusive for entry in touched) or self.base.contested(slot)

    def stating(self, slot: Slot, object: str) -> list[Fact]:
        """The facts of a slot that have this object."""
        facts = [fact for fact in self.base.stating(slot, object) if fact.id not in self._facts]
        touched = [entry.fact for entry in self._touched(slot) if entry.fact.object == object]
        return facts + touched

    def relation(self, name: str) -> Relation | None:
        """The settings declared for a relation."""
        return self._relations[name] if name in self._relations else self.base.relation(name)

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
        self._placed[fact.subject, fact.relation].add(fact_id)

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
        known = {entity, *self.base.aliases(entity), *self._aliases[entity]}
        added = [name for name in names if name not in known]
        if added:
            self._aliases[entity] += added
            self._order.setdefault(("alias", entity))
        return bool(added)

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
            else:
                changes += self._fact_change(key, revision, recorded_at)
        return tuple(changes)

    def _fact_change(self, fact_id: str, revision: int, recorded_at: str) -> list[Change]:
        before, entry = self._before[fact_id], self._facts[fact_id]
        if entry is None:
            return [Change("erase", fact_id)]
        if entry.fact == before:
            return []
        after = replace(entry.fact, revision=revision, recorded_at=recorded_at)
        return [Change("add" if before is None else self._kinds[fact_id], fact_id, before, after)]

    def _touched(self, slot: Slot) -> list[Entry]:
        entries = (self._facts[fact_id] for fact_id in self._placed.get(slot, ()))
        return [entry for entry in entries if entry is not None]

    def _leave(self, fact_id: str) -> None:
        if fact_id not in self._facts:
            self._before[fact_id] = self.before(fact_id)
            self._order["fact", fact_id] = None
            return
        entry = self._facts[fact_id]
        if entry is not None:
            self._placed[entry.fact.subject, entry.fact.relation].discard(fact_id)
