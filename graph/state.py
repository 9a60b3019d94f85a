"""What planning asks of a store: its latest revision, seen fact by fact and slot by slot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from graph.fact import Fact, Relation

Slot = tuple[str, str]
"""(subject, relation): the facts that may contradict one another share one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact as it is now, with its place in the order of first recording (1, 2, …)."""

    position: int
    fact: Fact

    @property
    def begin(self) -> int:
        """When the fact begins, in seconds: as stated, whatever closed it."""
        return self.fact.interval.start


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

    def using(self, relation: str) -> Iterator[Entry]:
        """The facts that have this relation and are not retracted. Lazy."""
        ...

    def aliases(self, entity: str) -> tuple[str, ...]:
        """Other names of an entity; none once it is merged."""
        ...

    def merged_into(self, entity: str) -> str | None:
        """The entity that this one was merged into, which may be merged itself; None if it was
        not.
        """
        ...
