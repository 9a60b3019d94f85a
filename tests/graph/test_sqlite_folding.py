"""A long log is folded into the file beside the commits, not by them."""

from __future__ import annotations

import time
from pathlib import Path

from graph import Add, Erase, SQLiteStore
from graph.sqlite_folding import ENOUGH
from tests.contracts.clock import Clock


def grows(path: Path, beyond: int) -> bool:
    """Whether the file comes to have more bytes, within half a minute."""
    deadline = time.monotonic() + 30
    while path.stat().st_size <= beyond:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_much_is_folded_into_the_file_without_closing_it(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    with SQLiteStore(path, Clock()) as store:
        before = path.stat().st_size
        store.apply([Add("a", "b", f"c{number}") for number in range(ENOUGH)])
        assert grows(path, before)
        before = path.stat().st_size
        for number in range(ENOUGH // 4):
            store.apply([Add("d", "e", f"f{number}" + "x" * 1000)])
        assert grows(path, before)


def test_little_begins_no_thread(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "facts.db", Clock()) as store:
        store.apply([Add("a", "b", "c")])
        assert store._folder._thread is None


def test_an_erasure_is_complete_although_much_was_just_written(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "facts.db", Clock()) as store:
        for number in range(3):
            store.apply([Add("a", "b", f"{number} {n}") for n in range(ENOUGH)])
            store.apply([Add("a", "b", f"secret {number}", id=f"s{number}")])
            store.apply([Erase(f"s{number}")])
            assert not store.unscrubbed
            for file in tmp_path.iterdir():
                assert b"secret" not in file.read_bytes()
