"""A disk that is full, and files and folders that may not be written."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph import Add, SQLiteStore
from graph.sqlite_verify import verify
from tests.graph.faults.processes import ROOT, run


def test_a_full_disk_refuses_the_write_and_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    with SQLiteStore(path) as store:
        store.apply([Add("a", "b", "c", id="f")])
    result = run(
        """
        import resource, sys
        from graph import Add, Correct, SQLiteStore, StoreUnavailable
        with SQLiteStore(sys.argv[1]) as store:
            # No file of this process may grow past what the log needs for a few small commits.
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
            batch = [Add("x" * 1000, "r", f"{n}" * 500) for n in range(1000)]
            try:
                store.apply(batch)
            except StoreUnavailable as error:
                print(error)
            print(store.revision, store.snapshot().count(), store.snapshot().get("f").object)
            print(store.apply([Correct("f", {"object": "d"})]).revision)
        """,
        path,
    )
    assert result.returncode == 0, result.stderr
    error, state, revision = result.stdout.splitlines()
    assert "full" in error
    assert (state, revision) == ("1 1 c", "2")
    assert verify(path).problems == ()


def test_a_disk_that_fills_up_in_the_middle_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    """On a file system of 2 MiB in a mount namespace of its own."""
    script = """
        import shutil, subprocess, sys
        from pathlib import Path
        from graph import Add, Erase, SQLiteStore, StoreUnavailable
        from tests.graph.faults.processes import wait_until
        folder = Path(sys.argv[1])
        mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder]
        subprocess.run(mount, check=True)
        path = folder / "facts.db"

        def leave(room):
            (folder / "filler").write_bytes(bytes(shutil.disk_usage(folder).free - room))

        with SQLiteStore(path) as store:
            leave(1_000_000)
            try:
                for number in range(10_000):
                    store.apply([Add(f"s{number}", "r", f"secret {number} " * 90, id=f"f{number}")])
            except StoreUnavailable as error:
                print(error)
            assert store.revision == store.snapshot().count() == number > 10
            (folder / "filler").unlink()
            assert store.apply([Add("goes", "on", "here")]).revision == number + 1
        leave(100_000)
        with SQLiteStore(path) as store:
            # There is room to erase, but not to rewrite the file.
            store.apply([Erase("f7")])
            print(store.unscrubbed, store.snapshot().count() == number)
            (folder / "filler").unlink()
            wait_until(lambda: not store.unscrubbed)
            on_disk = b"".join(file.read_bytes() for file in folder.iterdir())
        assert b"secret 7 " not in on_disk and b"secret 8 " in on_disk
        print("done")
    """
    command = ["unshare", "--mount", sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"]).returncode:
        pytest.skip("a file system of one's own needs root and unshare")
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    error, erased, done = result.stdout.splitlines()
    assert "the disk is full" in error
    assert (erased, done) == ("True True", "done")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that other users reach, which pytest's are not."""
    folder = Path(tempfile.mkdtemp(prefix="dysk-read-only-", dir="/tmp"))
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    shutil.rmtree(folder)


AS_NOBODY = """
    import os, sys
    from graph import Add, SQLiteStore, StoreUnavailable
    if os.getuid() == 0:
        os.setuid(65534)
"""


def test_a_read_only_file_is_read_and_refuses_writes(open_to_all: Path) -> None:
    path = open_to_all / "facts.db"
    with SQLiteStore(path) as store:
        store.apply([Add("a", "b", "c", id="f")])
    path.chmod(0o444)
    script = """
    with SQLiteStore(sys.argv[1]) as store:
        print(store.snapshot().get("f").object, store.revision)
        print(store.apply([Add("x", "y", "z")], dry_run=True).items[0].outcome)
        try:
            store.apply([Add("x", "y", "z")])
        except StoreUnavailable as error:
            print(error)
    """
    result = run(AS_NOBODY + script, path)
    assert result.returncode == 0, result.stderr
    state, dry, error = result.stdout.splitlines()
    assert (state, dry) == ("c 1", "created")
    assert "read-only" in error


def test_a_read_only_folder_is_refused_and_says_so(open_to_all: Path) -> None:
    path = open_to_all / "facts.db"
    with SQLiteStore(path) as store:
        store.apply([Add("a", "b", "c", id="f")])
    open_to_all.chmod(0o555)
    before = path.read_bytes()
    script = """
    for name in (sys.argv[1], sys.argv[1] + ".new"):
        try:
            SQLiteStore(name)
        except StoreUnavailable as error:
            print(error)
    """
    result = run(AS_NOBODY + script, path)
    assert result.returncode == 0, result.stderr
    there, new = result.stdout.splitlines()
    assert "make it and its folder writable" in there
    assert "may this user write in it?" in new
    assert path.read_bytes() == before
