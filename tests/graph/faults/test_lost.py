"""A store whose file goes away while it is open, and comes back or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from graph import Add, SQLiteStore, StoreUnavailable
from graph.sqlite_verify import verify


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "facts.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(path) as store:
        store.apply([Add("a", "b", "c", id="f")])
        yield store


def test_nothing_is_written_to_a_file_that_was_removed(store: SQLiteStore, path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()
    with pytest.raises(StoreUnavailable, match="removed or replaced"):
        store.apply([Add("d", "e", "f")])
    with pytest.raises(StoreUnavailable, match="removed or replaced"):
        store.snapshot()
    assert not path.exists(), "no empty store takes its place"


def test_a_file_that_is_back_is_written_to_again(store: SQLiteStore, path: Path) -> None:
    away = path.with_name("away.db")
    path.rename(away)
    with pytest.raises(StoreUnavailable, match="removed or replaced"):
        store.apply([Add("d", "e", "f")])
    away.rename(path)
    assert store.apply([Add("d", "e", "f")]).revision == 2
    assert verify(path).problems == ()


def test_another_file_in_its_place_is_not_taken_for_it(store: SQLiteStore, path: Path) -> None:
    path.rename(path.with_name("away.db"))
    with SQLiteStore(path) as other:
        other.apply([Add("x", "y", "z")])
        with pytest.raises(StoreUnavailable, match="open the store again"):
            store.apply([Add("d", "e", "f")])
        assert other.snapshot().count() == 1
