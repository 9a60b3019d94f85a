"""Erased text must be gone from the file and its log, byte for byte."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from graph import Add, Command, Correct, Erase, NotFound, Retract, SetAliases, SQLiteStore
from graph.sqlite_connection import connect
from tests.graph.faults.processes import run, wait_until


def bytes_of(folder: Path) -> bytes:
    """All that the store has on disk: the file, its log and its shared memory."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def test_no_byte_of_an_erased_fact_remains(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "facts.db") as store:
        store.apply(
            [
                Add(
                    "secret subject",
                    "secret relation",
                    "secret object",
                    "2001-02-03",
                    source="secret source",
                    external_id="secret external id",
                    attributes={"secret name": "secret value"},
                    aliases=("secret alias",),
                    id="plain-id",
                )
            ],
            idempotency_key="k",
        )
        store.apply([Correct("plain-id", {"object": "secret correction"})])
        store.apply([SetAliases("secret correction", ("secret other name",))])
        store.apply([Retract("plain-id")])
        store.apply([Add("someone", "knows", "someone else")])
        assert b"secret" in bytes_of(tmp_path)
        store.apply([Erase("plain-id")])
        assert b"secret" not in bytes_of(tmp_path)
        assert b"2001-02-03" not in bytes_of(tmp_path)
        assert b"plain-id" in bytes_of(tmp_path)
        assert store.snapshot().count() == 1
    assert b"secret" not in bytes_of(tmp_path)


@pytest.mark.parametrize("seed", range(4))
def test_no_byte_remains_among_many_facts_written_and_erased(tmp_path: Path, seed: int) -> None:
    """Pages of the file split, merge and move their rows; none may leave a copy behind."""
    chance = random.Random(seed)
    left: set[int] = set()
    with SQLiteStore(tmp_path / "facts.db") as store:
        for start in range(0, 600, 100):
            batch: list[Command] = []
            for number in range(start, start + 100):
                padding = "x" * chance.randrange(1, 400)
                mark = f"<{number}>"
                batch.append(
                    Add(
                        f"subject {mark} {padding}",
                        f"relation {chance.randrange(9)}",
                        f"object {mark}",
                        source=f"source {mark}",
                        attributes={"mark": mark, "padding": padding},
                        id=f"id-{number}",
                    )
                )
                left.add(number)
            store.apply(batch)
            corrected = chance.sample(sorted(left), 30)
            store.apply([Correct(f"id-{n}", {"object": f"other <{n}>"}) for n in corrected])
            erased = chance.sample(sorted(left), 60)
            store.apply([Erase(f"id-{number}") for number in erased])
            left -= set(erased)
        on_disk = bytes_of(tmp_path)
        for number in range(600):
            assert (f"<{number}>".encode() in on_disk) == (number in left), number


@contextmanager
def reading_from_before(path: Path) -> Iterator[sqlite3.Connection]:
    """A program that began to read now and does not let go: an old transaction, in SQLite's terms.

    Snapshots of a store do not hold on like this; another tool, or a backup, does.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM entities").fetchone()
        yield reader


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasure does not wait for readers before it goes on in the background."""
    monkeypatch.setattr("graph.sqlite_scrub.PATIENCE_SECONDS", 0.0)


@pytest.mark.usefixtures("impatient")
def test_while_a_reader_holds_on_the_erasure_stands_and_its_bytes_go_when_it_lets_go(
    tmp_path: Path,
) -> None:
    path = tmp_path / "facts.db"
    with SQLiteStore(path) as store:
        store.apply([Add("secret", "knows", "someone", id="f")])
        with reading_from_before(path) as reader:
            store.apply([Erase("f")])
            with pytest.raises(NotFound):
                store.snapshot().get("f")
            assert store.unscrubbed
            assert b"secret" in bytes_of(tmp_path)
            # The reader still sees the revision that it began with; nobody else does.
            assert reader.execute("SELECT name FROM entities").fetchone() == ("secret",)
            assert store.apply([Add("anyone", "knows", "someone")]).revision == 3
        # Nothing is written or opened from here on.
        wait_until(lambda: not store.unscrubbed)
        assert b"secret" not in bytes_of(tmp_path)


@pytest.mark.usefixtures("impatient")
def test_a_snapshot_held_for_long_keeps_no_erased_byte(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    with SQLiteStore(path) as store, SQLiteStore(path) as other:
        store.apply([Add("secret", "knows", f"person {n}", id=f"f{n}") for n in range(2000)])
        with other.snapshot() as snapshot:
            facts = snapshot.facts()
            assert next(facts).subject == "secret"
            store.apply([Erase(f"f{n}") for n in range(2000)])
            assert not store.unscrubbed
            assert b"secret" not in bytes_of(tmp_path)
            with pytest.raises(NotFound):
                snapshot.get("f7")


@pytest.mark.usefixtures("impatient")
def test_what_an_ended_process_left_in_the_log_is_gone_after_the_next_opening(
    tmp_path: Path,
) -> None:
    path = tmp_path / "facts.db"
    with SQLiteStore(path) as store:
        store.apply([Add("secret", "knows", "someone", id="f")])
    with reading_from_before(path):
        with SQLiteStore(path) as store:
            store.apply([Erase("f")])
        assert b"secret" in bytes_of(tmp_path)
    with SQLiteStore(path) as store:
        assert not store.unscrubbed
        assert b"secret" not in bytes_of(tmp_path)


def test_an_erasure_during_anothers_scrub_is_not_taken_for_scrubbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "facts.db"
    monkeypatch.setattr("graph.sqlite_scrub.FIRST_RETRY_SECONDS", 60.0)
    with SQLiteStore(path) as store, SQLiteStore(path) as other:
        store.apply([Add("secret", "knows", "someone", id="f"), Add("x", "knows", "y", id="g")])
        # The other process dies between its commit and its scrub.
        monkeypatch.setattr(other._scrubber, "scrub", lambda: None)

        def erase_midway(statement: str) -> None:
            if "wal_checkpoint" in statement:
                other.apply([Erase("f")])

        def traced(path: Path) -> sqlite3.Connection:
            connection = connect(path)
            connection.set_trace_callback(erase_midway)
            return connection

        monkeypatch.setattr("graph.sqlite_scrub.connect", traced)
        store.apply([Erase("g")])
        monkeypatch.undo()
        assert store.unscrubbed
    with SQLiteStore(path) as store:
        assert not store.unscrubbed
        assert b"secret" not in bytes_of(tmp_path)


def test_a_compaction_after_an_erasure_rewrites_the_file_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []

    def traced(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr("graph.sqlite_scrub.connect", traced)
    with SQLiteStore(tmp_path / "facts.db") as store:
        store.apply([Add("a", "b", "old words", id="f"), Add("x", "y", "z", id="g")])
        store.apply([Correct("f", {"object": "new words"})])
        store.apply([Erase("g")])
        assert statements.count("VACUUM") == 1
        # The compaction reaches back to a revision at which all was scrubbed long ago.
        store.compact(before=2)
        assert statements.count("VACUUM") == 2
        assert not store.unscrubbed
        assert b"old words" not in bytes_of(tmp_path)
        store.compact(before=2)
        assert statements.count("VACUUM") == 2


KILL = """
    import os, resource, signal, sqlite3, sys
    from graph import Erase, SQLiteStore, sqlite_scrub
    path, moment = sys.argv[1:]

    def die(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def die_at(statement):
        if moment == "within the rewrite" and statement == "VACUUM":
            connection.set_progress_handler(die, 20_000)
        elif moment == "within the checkpoint" and "wal_checkpoint" in statement:
            # The kernel kills whoever writes beyond this place of a file.
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            half = os.path.getsize(path) // 2
            resource.setrlimit(resource.RLIMIT_FSIZE, (half, half))
        elif statement.startswith(moment):
            die()

    def traced(path):
        global connection
        connection = original(path)
        connection.set_trace_callback(die_at)
        return connection

    original, sqlite_scrub.connect = sqlite_scrub.connect, traced
    SQLiteStore(path).apply([Erase(f"secret{n}") for n in range(1, 2000, 2)])
"""


@pytest.fixture(scope="module")
def half_secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 1,000 plain and 1,000 secret facts that take turns, so that pages have both."""
    path = tmp_path_factory.mktemp("template") / "facts.db"
    with SQLiteStore(path) as store:
        for start in range(0, 2000, 500):
            store.apply(
                [
                    Add(f"person {n}", "hides", f"<{kind} {n}>" * 9, id=f"{kind}{n}")
                    for n in range(start, start + 500)
                    for kind in [("plain", "secret")[n % 2]]
                ]
            )
    return path


@pytest.mark.parametrize(
    "moment",
    [
        "SELECT max",
        "VACUUM",
        "within the rewrite",
        "PRAGMA wal_checkpoint",
        "within the checkpoint",
        "DELETE FROM unscrubbed",
    ],
)
def test_killed_in_the_middle_of_a_scrub_the_next_opening_finishes_it(
    tmp_path: Path, half_secret: Path, moment: str
) -> None:
    path = tmp_path / "facts.db"
    shutil.copy(half_secret, path)
    result = run(KILL, path, moment)
    assert result.returncode in (-signal.SIGKILL, -signal.SIGXFSZ), result.stderr
    with SQLiteStore(path) as store:
        assert not store.unscrubbed
        assert store.snapshot().count() == 1000
        on_disk = bytes_of(tmp_path)
    assert b"<secret" not in on_disk
    assert b"<plain 2>" in on_disk
    assert [file.name for file in tmp_path.iterdir()] == ["facts.db"]


@pytest.mark.usefixtures("impatient")
def test_the_feed_is_read_from_before_or_after_an_erasure_never_between(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "facts.db") as store:
        store.apply([Add("secret", "knows", "someone", id="f")])
        before = store.changes()
        erased: list[str] = []

        def erase_midway(statement: str) -> None:
            if "FROM commits" in statement and not erased:
                erased.append(statement)
                store.apply([Erase("f")])

        with store._readers.lend() as connection:
            connection.set_trace_callback(erase_midway)
        during = store.changes()
        assert erased
        assert during == before
        assert during != store.changes()
