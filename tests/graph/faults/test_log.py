"""What becomes of a store whose log lost its end, or was changed: no half commit, no silence."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

from graph import Add, Correct, SQLiteStore, StoreCorrupt
from graph.sqlite_verify import verify


def sound_commits(path: Path) -> list[int]:
    """The file is whole; the number of changes in each commit."""
    assert verify(path).problems == ()
    with SQLiteStore(path) as store:
        return [len(commit.changes) for commit in store.changes(limit=10**6)]


def crashed(path: Path, commits: int) -> tuple[bytes, bytes]:
    """The file and the log of a store that was killed after some commits of two facts."""
    SQLiteStore(path).close()
    with SQLiteStore(path) as store:
        for number in range(commits):
            store.apply([Add(f"s{number}", "r", "o" * 500, id=f"{number}-{n}") for n in range(2)])
        return path.read_bytes(), Path(f"{path}-wal").read_bytes()


def test_of_a_truncated_log_whole_commits_are_left_in_order(tmp_path: Path) -> None:
    """Nothing tells that there were more, so the disk has to keep what it says is synced."""
    path, commits = tmp_path / "facts.db", 12
    file, log = crashed(path, commits)
    found = set()
    for length in [*range(0, len(log), 40_001), len(log) - 1, len(log)]:
        cut = tmp_path / f"cut-{length}" / "facts.db"
        cut.parent.mkdir()
        cut.write_bytes(file)
        Path(f"{cut}-wal").write_bytes(log[:length])
        sizes = sound_commits(cut)
        assert sizes == [2] * len(sizes)
        found.add(len(sizes))
        with SQLiteStore(cut) as store:
            assert store.apply([Add("goes", "on", "here")]).revision == len(sizes) + 1
    assert {0, commits} < found


def test_a_log_with_a_changed_byte_ends_before_the_commit_that_it_is_in(tmp_path: Path) -> None:
    path, commits = tmp_path / "facts.db", 12
    file, log = crashed(path, commits)
    chance = random.Random(4)
    for place in chance.sample(range(32, len(log)), k=12):
        path.write_bytes(file)
        changed = bytearray(log)
        changed[place] ^= 0x40
        Path(f"{path}-wal").write_bytes(changed)
        Path(f"{path}-shm").unlink(missing_ok=True)
        assert len(sound_commits(path)) < commits


def test_a_log_that_is_cut_once_it_is_folded_into_the_file_is_told(tmp_path: Path) -> None:
    """The file has newer pages than what is left of the log: together they are no state at all."""
    path = tmp_path / "facts.db"
    with SQLiteStore(path) as store:
        store.apply([Add(f"s{n}", "r", "o" * 500, id=f"f{n}") for n in range(400)])
    with SQLiteStore(path) as store:
        for n in range(12):
            store.apply([Add(f"t{n}", "r", "o" * 500)])
        cut = Path(f"{path}-wal").stat().st_size
        store.apply([Correct(f"f{n}", {"object": f"other {n}"}) for n in range(0, 400, 7)])
        log = Path(f"{path}-wal").read_bytes()
    file = path.read_bytes()
    for length in (cut // 2, cut, (cut + len(log)) // 2):
        path.write_bytes(file)
        Path(f"{path}-wal").write_bytes(log[:length])
        with suppress(StoreCorrupt):
            assert verify(path).problems
    path.write_bytes(file)
    Path(f"{path}-wal").write_bytes(log)
    assert verify(path).problems == ()
