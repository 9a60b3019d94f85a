"""Erased text must be gone from the file and its log, byte for byte."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from graph import Add, Command, Correct, Erase, NotFound, Retract, SetAliases, SQLiteStore


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


def test_what_an_interrupted_erasure_left_in_the_log_is_gone_after_opening(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    with SQLiteStore(path) as store:
        store.apply([Add("secret", "knows", "someone", id="f")])
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM entities").fetchone()
        # The open reader keeps the log from being emptied, as a crash at this point would.
        store._writer.execute("PRAGMA busy_timeout = 1")
        store.apply([Erase("f")])
        assert b"secret" in bytes_of(tmp_path)
        reader.close()
        with SQLiteStore(path) as other:
            assert b"secret" not in bytes_of(tmp_path)
            with pytest.raises(NotFound):
                other.snapshot().get("f")


def test_the_next_write_empties_a_log_that_a_reader_kept(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    with SQLiteStore(path) as store:
        store.apply([Add("secret", "knows", "someone", id="f")])
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM entities").fetchone()
        store._writer.execute("PRAGMA busy_timeout = 1")
        store.apply([Erase("f")])
        reader.close()
        store.apply([Add("anyone", "knows", "someone")])
        assert b"secret" not in bytes_of(tmp_path)


def test_the_feed_is_read_from_before_or_after_an_erasure_never_between(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "facts.db") as store:
        # The reader below keeps the log; the erasure need not wait for it.
        store._writer.execute("PRAGMA busy_timeout = 1")
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
