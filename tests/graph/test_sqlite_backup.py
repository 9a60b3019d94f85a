"""A copy is one state of the store, taken while others write, and has nothing that was erased."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from graph import Add, Correct, Erase, SQLiteStore, StoreCorrupt, StoreUnavailable
from graph.migrations import SCHEMA_VERSION
from graph.sqlite_backup import Copied, copy_store
from graph.sqlite_verify import verify
from tests.graph.faults.processes import ROOT, run

BATCH = 3


def many(count: int = 4000) -> list[Add]:
    """Facts enough for a copy to take several steps."""
    return [Add(f"subject {n}", "says", f"word {n}" * 20) for n in range(count)]


def test_a_copy_answers_as_the_store_did(tmp_path: Path) -> None:
    batch = [Add("a", "b", "c", "2001", id="f", aliases=("A", "AA"), attributes={"n": [1]})]
    with SQLiteStore(tmp_path / "facts.db") as store:
        store.apply(batch, idempotency_key="k")
        store.apply([Correct("f", {"object": "d"}), Add("x", "y", "z", id="g")])
        store.apply([Erase("g")])
        copied = copy_store(tmp_path / "facts.db", tmp_path / "copy.db")
        assert copied == Copied(revision=3, facts=1)
        with SQLiteStore(tmp_path / "copy.db") as copy:
            assert copy.changes() == store.changes()
            assert copy.snapshot().history("f") == store.snapshot().history("f")
            assert copy.snapshot().aliases("a") == ("A", "AA")
            assert copy.apply(batch, idempotency_key="k").replayed
            assert copy.apply([Add("new", "y", "z")]).items[0].fact == (
                store.apply([Add("new", "y", "z")]).items[0].fact
            )


def test_copies_taken_while_two_processes_write_are_whole_and_of_one_revision(
    tmp_path: Path,
) -> None:
    path = tmp_path / "facts.db"
    with SQLiteStore(path) as store:
        store.apply(many())
    command = [sys.executable, "-m", "tests.graph.writer_process", str(path)]
    writers = [
        subprocess.Popen([*command, name, str(BATCH)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for name in ("left", "right")
    ]
    try:
        told = []
        for writer in writers:
            assert writer.stdout is not None
            told.append(writer.stdout.readline())
        assert all(told)
        copies = [copy_store(path, tmp_path / f"copy{n}.db", _next_line(writers)) for n in range(3)]
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert [copy.revision for copy in copies] == sorted({copy.revision for copy in copies})
    with SQLiteStore(path) as store:
        for n, copied in enumerate(copies):
            with SQLiteStore(tmp_path / f"copy{n}.db") as copy:
                assert copy.revision == copied.revision < store.revision
                assert copy.changes(limit=10**6) == store.changes(limit=10**6)[: copied.revision]
                with store.snapshot(revision=copied.revision) as then:
                    assert list(copy.snapshot().facts()) == list(then.facts())
            assert verify(tmp_path / f"copy{n}.db").problems == ()


def _next_line(writers: list[subprocess.Popen[str]]) -> object:
    """Progress that waits until each writer has written once more, so that they do so meanwhile."""

    def wait(done: int, total: int) -> None:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline()

    return wait


def test_progress_grows_towards_what_is_expected(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "facts.db") as store:
        store.apply(many())
    heard: list[tuple[int, int]] = []
    copy_store(tmp_path / "facts.db", tmp_path / "copy.db", lambda *counts: heard.append(counts))
    done = [done for done, _ in heard]
    assert done == sorted(done)
    assert 0 < done[-1] <= heard[-1][1]


def test_a_copy_can_be_broken_off(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "facts.db") as store:
        store.apply(many())

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_store(tmp_path / "facts.db", tmp_path / "copy.db", stop)
    with SQLiteStore(tmp_path / "facts.db") as store:
        assert store.apply([Add("a", "b", "c")]).revision == 2


def test_a_copy_lacks_what_is_erased_though_the_source_has_its_bytes_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.sqlite_scrub.PATIENCE_SECONDS", 0.0)
    path, copy = tmp_path / "facts.db", tmp_path / "copies" / "copy.db"
    copy.parent.mkdir()
    with SQLiteStore(path) as store, closing(sqlite3.connect(path)) as reader:
        store.apply([Add("secret", "knows", "someone", id="f")])
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM entities").fetchone()
        store.apply([Erase("f")])
        assert b"secret" in path.with_name("facts.db-wal").read_bytes()
        copy_store(path, copy)
    assert [file.name for file in copy.parent.iterdir()] == ["copy.db"]
    assert b"secret" not in copy.read_bytes()


def test_an_erasure_that_waited_for_a_copy_is_finished_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.sqlite_scrub.PATIENCE_SECONDS", 0.0)
    path = tmp_path / "facts.db"
    with SQLiteStore(path) as store:
        store.apply([Add("secret", "knows", "someone", id="f"), *many()])
    left: list[bool] = []

    def erase(done: int, total: int) -> None:
        if not left:
            # As by `dysk erase`, whose process has ended before the copy does.
            with SQLiteStore(path) as store:
                store.apply([Erase("f")])
                left.append(store.unscrubbed)

    copy_store(path, tmp_path / "copy.db", erase)
    assert left == [True]
    assert b"secret" in (tmp_path / "copy.db").read_bytes()  # it is of the revision before
    for file in tmp_path.glob("facts.db*"):
        assert b"secret" not in file.read_bytes()


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    SQLiteStore(tmp_path / "facts.db").close()
    (tmp_path / "copy.db").write_bytes(b"dear")
    with pytest.raises(StoreUnavailable, match="nothing is overwritten"):
        copy_store(tmp_path / "facts.db", tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_bytes() == b"dear"


def test_a_copy_for_which_the_disk_has_no_room_says_so(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "facts.db") as store:
        store.apply(many())
    script = """
        import resource, sys
        from pathlib import Path
        from graph import StoreUnavailable
        from graph.sqlite_backup import copy_store
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        try:
            copy_store(Path(sys.argv[1]), Path(sys.argv[2]))
        except StoreUnavailable as error:
            print(error)
    """
    result = run(script, tmp_path / "facts.db", tmp_path / "copy.db")
    assert result.returncode == 0, result.stderr
    assert "copy.db" in result.stdout
    assert "full" in result.stdout


def test_what_is_missing_or_of_a_newer_version_is_not_copied(tmp_path: Path) -> None:
    path, copy = tmp_path / "facts.db", tmp_path / "copy.db"
    for absent in (path, path.parent / "empty.db"):
        with pytest.raises(StoreUnavailable, match="no store"):
            copy_store(absent, copy)
        (path.parent / "empty.db").touch()
    SQLiteStore(path).close()
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        copy_store(path, tmp_path / "nowhere" / "copy.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreCorrupt, match="newer dysk"):
        copy_store(path, copy)
    assert not copy.exists()
