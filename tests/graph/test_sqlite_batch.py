"""A long batch lets the garbage collector rest, and only that long."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph import Add, InvalidFact, SQLiteStore, sqlite_batch
from tests.contracts.clock import Clock

LONG = [Add("a", "b", f"c{number}") for number in range(600)]


@pytest.fixture
def planned_while_enabled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Whether the collector was enabled, plan by plan."""
    seen: list[bool] = []
    plan = sqlite_batch.make_plan

    def watched(*arguments: object) -> object:
        seen.append(gc.isenabled())
        return plan(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(sqlite_batch, "make_plan", watched)
    yield seen
    gc.enable()


def test_it_rests_for_a_long_batch_and_not_for_a_short_one(
    tmp_path: Path, planned_while_enabled: list[bool]
) -> None:
    with SQLiteStore(tmp_path / "facts.db", Clock()) as store:
        store.apply(LONG)
        assert gc.isenabled()
        store.apply([Add("a", "b", "one more")])
    assert planned_while_enabled == [False, True]


def test_it_works_again_after_a_refused_batch(
    tmp_path: Path, planned_while_enabled: list[bool]
) -> None:
    taken = [Add("a", "b", "c", id="f"), Add("a", "b", "d", id="f")]
    with SQLiteStore(tmp_path / "facts.db", Clock()) as store:
        with pytest.raises(InvalidFact, match="taken"):
            store.apply([*LONG, *taken])
        assert gc.isenabled()
        assert store.revision == 0
    assert planned_while_enabled == [False]


def test_it_is_left_as_it_is_where_someone_disabled_it(
    tmp_path: Path, planned_while_enabled: list[bool]
) -> None:
    gc.disable()
    with SQLiteStore(tmp_path / "facts.db", Clock()) as store:
        store.apply(LONG)
        assert not gc.isenabled()
