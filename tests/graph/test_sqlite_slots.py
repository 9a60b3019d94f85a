"""What is read ahead for a batch is what would have been read one by one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph import Add, Command, GraphError, Retract, SQLiteStore, parse_date, sqlite_slots
from graph.interval import MIN_SECONDS
from graph.sqlite_state import SQLiteState
from graph.state import Entry
from tests.contracts.clock import Clock
from tests.graph.strategies import DATES, IDS, OBJECTS, RELATIONS, SUBJECTS, batches

SLOTS = list(product((*SUBJECTS, "Nowhere"), RELATIONS))
STARTS = [MIN_SECONDS, *(parse_date(date).start for date in DATES)]
AHEAD: list[Command] = [Add(subject, relation, "Rudolf") for subject, relation in SLOTS]
AHEAD += [Retract(id) for id in IDS]


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.position)


def by_start(entries: Iterable[Entry]) -> list[Entry]:
    """In the order given, which says nothing of facts that begin together."""
    listed = list(entries)
    begins = [entry.begin for entry in listed]
    assert begins in (sorted(begins), sorted(begins, reverse=True))
    return sorted(listed, key=lambda entry: (entry.begin, entry.position))


@pytest.mark.parametrize("few", [1, sqlite_slots.FEW])
@settings(max_examples=30, deadline=None)
@given(written=st.lists(batches(IDS), max_size=6))
def test_reading_ahead_changes_no_answer(few: int, written: list[list[Command]]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        SQLiteStore(Path(folder) / "facts.db", Clock()) as store,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sqlite_slots, "FEW", few)
        for batch in written:
            try:
                store.apply(batch)
            except GraphError:
                continue
        plain, ahead = SQLiteState(store._writer), SQLiteState(store._writer, AHEAD)
        for id in (*IDS, "unknown"):
            assert ahead.entry(id) == plain.entry(id)
            assert ahead.taken(id) == plain.taken(id)
        for slot in SLOTS:
            assert ahead.contested(slot) == plain.contested(slot)
            for object in OBJECTS:
                assert ahead.stating(slot, object) == plain.stating(slot, object)
            for start in STARTS:
                assert by_start(ahead.following(slot, start)) == by_start(
                    plain.following(slot, start)
                )
                assert by_start(ahead.preceding(slot, start)) == by_start(
                    plain.preceding(slot, start)
                )
                assert in_order(ahead.around(slot, start)) == in_order(plain.around(slot, start))
