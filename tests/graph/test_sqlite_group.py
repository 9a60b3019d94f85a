"""Writers that come at once share one sync, and nothing else."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from graph import Add, Conflict, Receipt, Relation, SetRelation, SQLiteStore
from graph.sqlite_group import GroupCommit
from tests.contracts.clock import Clock

WRITERS = 6


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(tmp_path / "facts.db", Clock()) as store:
        yield store


@contextmanager
def all_at_once(
    group: GroupCommit, writing: threading.Lock, writes: list[Callable[[], Receipt]]
) -> Iterator[list[Future[Receipt]]]:
    """Runs writes in threads of their own; all wait in line when the first may begin."""
    with ThreadPoolExecutor(len(writes)) as pool:
        with writing:
            futures = []
            for number, write in enumerate(writes, start=1):
                futures.append(pool.submit(write))
                while len(group._waiting) < number:
                    threading.Event().wait(0.001)
        yield futures


def statements(store: SQLiteStore) -> list[str]:
    """What the writer executes from now on."""
    executed: list[str] = []
    store._writer.set_trace_callback(executed.append)
    return executed


def add(store: SQLiteStore, object: str, **more: str) -> Callable[[], Receipt]:
    return lambda: store.apply([Add("Ruritania", "king", object, **more)])  # type: ignore[arg-type]


def test_writers_that_wait_share_one_commit_and_get_a_revision_each(store: SQLiteStore) -> None:
    executed = statements(store)
    writes = [add(store, f"king {number}") for number in range(WRITERS)]
    with all_at_once(store._group, store._writing, writes) as futures:
        receipts = [future.result() for future in futures]
    assert executed.count("COMMIT") == 1
    assert [receipt.revision for receipt in receipts] == list(range(1, WRITERS + 1))
    for number, commit in enumerate(store.changes()):
        (change,) = commit.changes
        assert change.after is not None
        assert change.after.object == f"king {number}"


def test_nobody_is_answered_before_the_commit(store: SQLiteStore) -> None:
    waiting: list[Future[Receipt]] = []
    answered_before: list[int] = []

    def watch(statement: str) -> None:
        if statement == "COMMIT":
            answered_before.append(sum(future.done() for future in waiting))

    with ThreadPoolExecutor(WRITERS) as pool, store._writing:
        store._writer.set_trace_callback(watch)
        waiting += [pool.submit(add(store, f"king {number}")) for number in range(WRITERS)]
        while len(store._group._waiting) < WRITERS:
            threading.Event().wait(0.001)
    assert answered_before == [0]
    assert all(future.done() for future in waiting)


def test_a_refused_batch_does_not_fail_its_neighbours(store: SQLiteStore) -> None:
    store.apply([SetRelation(Relation("king", "one"))])
    executed = statements(store)
    writes = [
        add(store, "Rudolf", valid_from="1893"),
        add(store, "Michael", on_conflict="reject"),
        add(store, "Flavia", valid_from="1901"),
    ]
    with all_at_once(store._group, store._writing, writes) as futures:
        errors = [future.exception() for future in futures]
    assert [type(error) for error in errors] == [type(None), Conflict, type(None)]
    assert executed.count("COMMIT") == 1
    assert [commit.revision for commit in store.changes()] == [1, 2, 3]
    assert [fact.object for fact in store.snapshot().facts()] == ["Rudolf", "Flavia"]


def test_a_later_batch_sees_the_earlier_ones_of_its_group(store: SQLiteStore) -> None:
    writes = [add(store, "Rudolf"), add(store, "Rudolf"), add(store, "Michael")]
    with all_at_once(store._group, store._writing, writes) as futures:
        receipts = [future.result() for future in futures]
    assert [receipt.items[0].outcome for receipt in receipts] == ["created", "unchanged", "created"]
    assert [receipt.revision for receipt in receipts] == [1, 1, 2]


def test_one_key_sent_twice_at_once_is_written_once(store: SQLiteStore) -> None:
    def write() -> Receipt:
        return store.apply([Add("a", "b", "c")], idempotency_key="k")

    with all_at_once(store._group, store._writing, [write, write]) as futures:
        receipts = [future.result() for future in futures]
    assert sorted(receipt.replayed for receipt in receipts) == [False, True]
    assert store.revision == 1


@pytest.fixture
def numbers(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "numbers.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as file:
        file.execute("CREATE TABLE numbers (number INTEGER)")
        yield file


def insert(file: sqlite3.Connection, number: int) -> Receipt:
    file.execute("INSERT INTO numbers VALUES (?)", (number,))
    return Receipt(number, ())


def kept(file: sqlite3.Connection) -> list[int]:
    return [row[0] for row in file.execute("SELECT number FROM numbers ORDER BY number")]


def test_a_transaction_lost_for_all_is_made_up_for_by_each_alone(
    numbers: sqlite3.Connection,
) -> None:
    writing = threading.Lock()
    group = GroupCommit(numbers, writing, lambda: None)

    def lose() -> Receipt:
        # As SQLite does by itself when the disk is full.
        insert(numbers, 2)
        numbers.execute("ROLLBACK")
        raise sqlite3.OperationalError("the disk is full")

    writes: list[Callable[[], Receipt]] = [
        lambda: group.run(lambda: insert(numbers, 1)),
        lambda: group.run(lose),
        lambda: group.run(lambda: insert(numbers, 3)),
    ]
    with all_at_once(group, writing, writes) as futures:
        errors = [future.exception() for future in futures]
    assert [str(error) for error in errors] == ["None", "the disk is full", "None"]
    assert kept(numbers) == [1, 3]


def test_an_interrupted_writer_leaves_the_others_to_themselves(
    numbers: sqlite3.Connection,
) -> None:
    writing = threading.Lock()
    group = GroupCommit(numbers, writing, lambda: None)
    interrupted = threading.Event()

    def interrupt_once() -> Receipt:
        if not interrupted.is_set():
            interrupted.set()
            raise KeyboardInterrupt
        return insert(numbers, 2)

    writes: list[Callable[[], Receipt]] = [
        lambda: group.run(lambda: insert(numbers, 1)),
        lambda: group.run(interrupt_once),
        lambda: group.run(lambda: insert(numbers, 3)),
    ]
    with all_at_once(group, writing, writes) as futures:
        errors = [future.exception() for future in futures]
    # Whoever led was interrupted, and only that one has to ask again.
    lost = [number for number, error in enumerate(errors, start=1) if error is not None]
    assert len(lost) == 1
    assert kept(numbers) == [number for number in (1, 2, 3) if number not in lost]


def test_a_dry_run_does_not_wait_for_a_writer(store: SQLiteStore, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "facts.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with store._writing:
            receipt = store.apply([Add("a", "b", "c")], dry_run=True)
    assert receipt.dry_run
    assert receipt.items[0].outcome == "created"
    assert store.revision == 0


def test_a_reader_in_mid_read_does_not_block_a_writer(store: SQLiteStore, tmp_path: Path) -> None:
    store.apply([Add("a", "b", f"{number}") for number in range(3)])
    with closing(sqlite3.connect(tmp_path / "facts.db", isolation_level=None)) as other:
        other.execute("BEGIN")
        rows = other.execute("SELECT * FROM facts")
        next(rows)
        assert store.apply([Add("a", "b", "more")]).revision == 2
        assert len(rows.fetchall()) == 2
