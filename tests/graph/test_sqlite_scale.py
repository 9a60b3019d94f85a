"""What a read costs does not grow with the rest of the graph. Counted in steps of SQLite's machine,
which are the same on every day and every computer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from graph import (
    Add,
    Command,
    Relation,
    SetRelation,
    Snapshot,
    SQLiteStore,
    parse_date,
    sqlite_feed,
)
from tests.contracts.clock import Clock

SMALL, LARGE = 300, 3_000
HOLDING = parse_date("1990")
READS: dict[str, Callable[[Snapshot], object]] = {
    "get": lambda snapshot: snapshot.get("f9"),
    "history": lambda snapshot: snapshot.history("f9"),
    "slots": lambda snapshot: snapshot.slots([("town 1", "mayor"), ("town 2", "twin")], HOLDING),
    "timeline": lambda snapshot: snapshot.timeline("town 3"),
    "resolve": lambda snapshot: snapshot.resolve("town 3"),
    "of a subject": lambda snapshot: list(snapshot.facts(subject="town 3")),
    "of a slot": lambda snapshot: list(snapshot.facts(subject="town 3", relation="twin")),
    "of an object": lambda snapshot: list(snapshot.facts(object="mayor 3", relation="mayor")),
    "of a source": lambda snapshot: list(snapshot.facts(source="register 3")),
    "a page": lambda snapshot: list(snapshot.facts(limit=10)),
    "a page of a relation": lambda snapshot: list(snapshot.facts(relation="mayor", limit=10)),
    "relations": lambda snapshot: snapshot.relations(),
}


def facts(towns: int) -> list[Command]:
    """Three facts a town; each town and mayor is in a few facts, each relation in many."""
    batch: list[Command] = [SetRelation(Relation("mayor", "one"))]
    for town in range(towns):
        source = f"register {town}"
        batch += [
            Add(f"town {town}", "mayor", f"mayor {town}", "1980", source=source),
            Add(f"town {town}", "mayor", f"mayor {town + 1}", "1985", source=source),
            Add(f"town {town}", "twin", f"town {town + 1}"),
        ]
    return batch


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[SQLiteStore]:
    """A small and a large one."""
    made = []
    for towns in (SMALL, LARGE):
        store = SQLiteStore(tmp_path_factory.mktemp("scale") / "facts.db", Clock())
        store.apply(facts(towns))
        made.append(store)
    return made


def steps(store: SQLiteStore, read: Callable[[Snapshot], object]) -> int:
    taken = 0

    def count() -> None:
        nonlocal taken
        taken += 1

    snapshot = store.snapshot()
    read(snapshot)
    with store._readers.lend() as connection:
        connection.set_progress_handler(count, 10)
    read(snapshot)
    with store._readers.lend() as connection:
        connection.set_progress_handler(None, 10)
    return taken


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_read_takes_no_more_steps_in_a_larger_graph(
    stores: list[SQLiteStore], read: Callable[[Snapshot], object]
) -> None:
    small, large = (steps(store, read) for store in stores)
    assert 0 < large <= small + 2


def test_a_write_takes_no_more_steps_in_a_larger_graph(stores: list[SQLiteStore]) -> None:
    def taken(store: SQLiteStore) -> int:
        count = 0

        def step() -> None:
            nonlocal count
            count += 1

        store._writer.set_progress_handler(step, 10)
        store.apply([Add("town 5", "mayor", "mayor 1", "1987"), Add("town 6", "twin", "town 8")])
        store._writer.set_progress_handler(None, 10)
        return count

    small, large = (taken(store) for store in stores)
    assert 0 < large <= small + 2


def test_a_page_of_the_feed_ends_before_it_has_too_many_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SQLiteStore(tmp_path / "facts.db", Clock()) as store:
        for size in (1, 2, 3, 9, 1, 1):
            store.apply([Add("a", "b", f"{size} {n} {store.revision}") for n in range(size)])
        whole = store.changes()
        monkeypatch.setattr(sqlite_feed, "PAGE_CHANGES", 5)
        pages, since = [], 0
        while page := store.changes(since):
            pages.append([commit.revision for commit in page])
            since = page[-1].revision
        assert pages == [[1, 2], [3], [4], [5, 6]]
        assert [commit for start in range(6) for commit in store.changes(start, limit=1)] == whole
