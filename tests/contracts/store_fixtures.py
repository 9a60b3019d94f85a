"""The fixtures that the parts of the store contract share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from graph import Add, Fact, FactStore, Period, Relation, SetRelation, parse_date
from tests.contracts.clock import Clock

MakeStore = Callable[[Callable[[], datetime]], FactStore]

KING = "king"
"""A relation of one object at a time in ``world``."""


class StoreFixtures:
    """``make_store`` is for the subclass to give: a function from a clock to an empty store."""

    @pytest.fixture
    def make_store(self) -> MakeStore:
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def store(self, make_store: MakeStore, clock: Clock) -> Iterator[FactStore]:
        with make_store(clock) as store:
            yield store

    @pytest.fixture
    def kings(self, store: FactStore) -> FactStore:
        """The store, knowing that a country has one king at a time (revision 1)."""
        store.apply([SetRelation(Relation(KING, "one"))])
        return store


def king(name: str, valid_from: str | None = None, valid_to: str | None = None, **more: Any) -> Add:
    """State a king of Ruritania."""
    return Add("Ruritania", KING, name, valid_from, valid_to, **more)


def reigns(store: FactStore) -> set[tuple[str, str | None, str | None]]:
    """Who is held to be king of Ruritania, and when; facts that hold nowhere are absent."""
    found = store.snapshot().slots([("Ruritania", KING)])
    facts = found.get(("Ruritania", KING), [])
    return {(fact.object, fact.valid_from, fact.valid_to) for fact in facts}


def current(store: FactStore, fact_id: str) -> Fact:
    """The fact at the latest revision."""
    with store.snapshot() as snapshot:
        return snapshot.get(fact_id)


def when(text: str) -> Period:
    """Short for parse_date."""
    return parse_date(text)
