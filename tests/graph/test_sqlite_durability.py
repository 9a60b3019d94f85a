"""Killed, crowded, full, read-only, foreign: what was acknowledged stays, what is not ours too."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from graph import Add, SQLiteStore, StoreCorrupt, StoreUnavailable
from graph.migrations import APPLICATION_ID, SCHEMA_VERSION, migrate
from graph.sqlite_verify import verify
from tests.graph.faults.processes import ROOT

BATCH = 3


@contextmanager
def writer(path: Path, name: str) -> Iterator[subprocess.Popen[str]]:
    """A process that writes batches and prints ``number revision`` of each acknowledged one."""
    command = [sys.executable, "-m", "tests.graph.writer_process", str(path), name, str(BATCH)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def assert_sound(path: Path) -> list[int]:
    """The file is whole, its feed gapless; the number of changes in each commit."""
    assert verify(path).problems == ()
    with SQLiteStore(path) as store:
        commits = store.changes(limit=10**6)
        assert [commit.revision for commit in commits] == list(range(1, store.revision + 1))
        return [len(commit.changes) for commit in commits]


def test_two_processes_and_a_reader_share_one_order(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    with writer(path, "left") as left, writer(path, "right") as right:
        assert left.stdout is not None
        assert right.stdout is not None
        left.stdout.readline(), right.stdout.readline()
        with SQLiteStore(path) as store:
            seen = store.revision
            for _ in range(10):
                assert store.wait(seen, 30.0), "a commit of another process was not noticed"
                with store.snapshot() as snapshot:
                    # A snapshot never shows half a batch.
                    facts = Counter(fact.revision for fact in snapshot.facts())
                    assert set(facts.values()) == {BATCH}
                    assert max(facts) == snapshot.revision
                seen = store.revision
            store.apply([Add("reader", "said", "so", id=f"reader-{part}") for part in range(BATCH)])
        left.kill()
        right.kill()
        told = [
            int(line.split()[1])
            for process in (left, right)
            if process.stdout is not None
            for line in process.stdout
            if line.endswith("\n")
        ]
    assert len(told) == len(set(told))
    assert set(assert_sound(path)) == {BATCH}


def test_a_process_that_writes_without_a_pause_leaves_others_their_turn(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    with writer(path, "busy") as busy, SQLiteStore(path) as store:
        assert busy.stdout is not None
        busy.stdout.readline()
        revisions = [store.apply([Add(f"s{n}", "r", "o")]).revision for n in range(20)]
        assert revisions == sorted(set(revisions))


def test_stores_that_open_a_new_file_at_once_agree_on_it(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    script = """
        import sys
        from graph import Add, SQLiteStore
        with SQLiteStore(sys.argv[1]) as store:
            store.apply([Add(sys.argv[2], "was", "here")])
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(path)]
    processes = [subprocess.Popen([*command, f"p{n}"], cwd=ROOT) for n in range(4)]
    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    assert assert_sound(path) == [1] * 4


def test_a_locked_file_is_unavailable_and_then_available(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.sqlite_connection.TURN_SECONDS", 0.0)
    path = tmp_path / "facts.db"
    with SQLiteStore(path) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailable, match="another process keeps it locked"):
                store.apply([Add("a", "b", "c")])
            assert store.snapshot().count() == 0
        assert store.apply([Add("a", "b", "c")]).revision == 1


@pytest.mark.parametrize(
    "content", [b"not a database at all", b"x", b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_file_of_another_kind_is_refused_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match=r"not a SQLite database|damaged"):
        SQLiteStore(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match="not a dysk store"):
        SQLiteStore(path)
    assert path.read_bytes() == before


def test_a_foreign_log_is_not_folded_into_its_file(tmp_path: Path) -> None:
    original, path = tmp_path / "original.db", tmp_path / "copy.db"
    log = tmp_path / "copy.db-wal"
    with closing(sqlite3.connect(original)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE songs (title TEXT)")
        # Copied while open, the file has its log beside it, as after a crash.
        shutil.copy(original, path)
        shutil.copy(f"{original}-wal", log)
    before = path.read_bytes(), log.read_bytes()
    with pytest.raises(StoreCorrupt, match="not a dysk store"):
        SQLiteStore(path)
    assert (path.read_bytes(), log.read_bytes()) == before


def test_a_file_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    with SQLiteStore(path) as store:
        store.apply([Add("a", "b", "c")])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match="newer dysk"):
        SQLiteStore(path)
    assert path.read_bytes() == before


def test_a_newer_version_with_a_log_beside_it_is_refused_and_its_log_kept(tmp_path: Path) -> None:
    """As a newer dysk leaves it when it is killed."""
    original, path = tmp_path / "original.db", tmp_path / "facts.db"
    with SQLiteStore(original) as store:
        store._writer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        store._writer.execute("CREATE TABLE newer (x)")
        shutil.copy(original, path)
        shutil.copy(f"{original}-wal", f"{path}-wal")
    before = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    with pytest.raises(StoreCorrupt, match="newer dysk"):
        SQLiteStore(path)
    assert (path.read_bytes(), Path(f"{path}-wal").read_bytes()) == before


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    with SQLiteStore(path) as store:
        store.apply([Add(f"s{number}", "r", "o") for number in range(500)])
    damaged = bytearray(path.read_bytes())
    damaged[4096:] = b"\x55" * (len(damaged) - 4096)
    path.write_bytes(damaged)
    with pytest.raises(StoreCorrupt, match="damaged"), SQLiteStore(path) as store:
        list(store.snapshot().facts())


@pytest.mark.parametrize("place", ["missing/facts.db", "."])
def test_a_path_that_cannot_be_a_file_says_so(tmp_path: Path, place: str) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        SQLiteStore(tmp_path / place)


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    path.touch()
    with SQLiteStore(path) as store:
        assert store.apply([Add("a", "b", "c")]).revision == 1
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def test_a_migration_that_fails_leaves_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.migrations._STEPS", (("CREATE TABLE a (b)", "NONSENSE"),))
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection)
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)


def test_a_commit_is_synced_to_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    # No test can cut the power; these are the settings under which SQLite survives that.
    with SQLiteStore(tmp_path / "facts.db") as store:
        assert store._writer.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store._writer.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_store_opened_again_has_everything(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    batch = [Add("a", "b", "c", id="f", aliases=("A",), attributes={"n": [1]})]
    with SQLiteStore(path) as store:
        store.apply(batch, idempotency_key="k")
        fact, commits = store.snapshot().get("f"), store.changes()
    with SQLiteStore(str(path)) as store:
        assert store.snapshot().get("f") == fact
        assert store.changes() == commits
        assert store.snapshot().resolve("A") == ["a"]
        assert store.apply(batch, idempotency_key="k").replayed
