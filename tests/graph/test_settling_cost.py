"""A write reads the facts around it and no others, however long its slot is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graph import (
    Add,
    Command,
    Correct,
    End,
    Erase,
    Fact,
    Relation,
    Retract,
    SetRelation,
    SQLiteStore,
    sqlite_slots,
    sqlite_state,
)
from graph.sqlite_rows import to_fact
from tests.contracts.clock import Clock

WRITES: dict[str, Callable[[int], Command]] = {
    "the newest": lambda length: Add("Town", "mayor", "new", f"{3000 + length}"),
    "the oldest": lambda length: Add("Town", "mayor", "new", "0999"),
    "in the middle": lambda length: Add("Town", "mayor", "new", f"{1000 + length // 2}-06"),
    "at an equal start": lambda length: Add("Town", "mayor", "new", f"{1000 + length // 2}"),
    "undated": lambda length: Add("Town", "mayor", "new"),
    "refused": lambda length: Add("Town", "mayor", "m0", "0999", "1000", on_conflict="reject"),
    "ended": lambda length: End(f"f{length // 2}", f"{1000 + length // 2}-06"),
    "moved far": lambda length: Correct(f"f{length // 2}", {"valid_from": "0999"}),
    "renamed": lambda length: Correct(f"f{length // 2}", {"object": "new"}),
    "retracted": lambda length: Retract(f"f{length // 2}"),
    "erased": lambda length: Erase(f"f{length // 2}"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_to_a_long_slot_reads_no_more_than_one_to_a_short_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[int], Command]
) -> None:
    read: list[Fact] = []

    def counted(row: tuple[Any, ...]) -> Fact:
        read.append(to_fact(row))
        return read[-1]

    for module in (sqlite_state, sqlite_slots):
        monkeypatch.setattr(module, "to_fact", counted)
    counts = []
    for length in (60, 600):
        with SQLiteStore(tmp_path / f"{length}.db", Clock()) as store:
            store.apply([SetRelation(Relation("mayor", "one"))])
            years = range(1000, 1000 + length)
            store.apply([Add("Town", "mayor", f"m{year}", str(year)) for year in years])
            store.apply([Add("Town", "mayor", "next", str(2000 + length))])
            read.clear()
            store.apply([write(length)])
            counts.append(len(read))
    assert counts[0] == counts[1]
    assert counts[0] <= 2 * sqlite_slots.FEW
