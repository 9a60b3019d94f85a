"""A whole file passes every check, and each kind of damage is found and named."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph import (
    Add,
    Command,
    Correct,
    End,
    Erase,
    GraphError,
    Relation,
    Retract,
    SetAliases,
    SetRelation,
    SQLiteStore,
    StoreCorrupt,
    StoreUnavailable,
)
from graph.migrations import SCHEMA_VERSION
from graph.sqlite_verify import PROBLEMS_KEPT, verify
from tests.graph.strategies import IDS, batches

PAGE = 4096


def make_store(path: Path, facts: int = 60) -> None:
    """A store in which everything is used: all verbs, aliases, settings, supersession, receipts."""
    with SQLiteStore(path) as store:
        store.apply([SetRelation(Relation("king", "one", "{object} is king of {subject}"))])
        for n in range(0, facts, 2):
            store.apply(
                [
                    Add(f"land {n % 7}", "king", f"king {n}", f"{1800 + n}", id=f"k{n}"),
                    Add(f"land {n % 7}", "borders", f"land {n % 5}", aliases=(f"realm {n}",)),
                ],
                idempotency_key=f"key {n}",
            )
        store.apply([Correct("k0", {"object": "king zero"}), End("k4", "1900")])
        store.apply([Retract("k2"), Erase("k6"), SetAliases("land 1", ("first land",))])


def problems(path: Path) -> dict[str, str]:
    """The first problem of each check that found one."""
    found = verify(path)
    return {problem.check: problem.detail for problem in reversed(found.problems)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "facts.db"
    make_store(path)
    return path


def test_a_whole_store_is_counted_and_has_no_problem(path: Path) -> None:
    heard: list[str] = []
    found = verify(path, heard.append)
    assert found.problems == ()
    assert (found.revision, found.facts, found.unscrubbed) == (33, 59, False)
    assert found.versions > found.facts
    assert heard == ["pages", "tables", "references", "feed", "versions", "facts", "names"]


@settings(max_examples=30, deadline=None)
@given(st.lists(batches(IDS[:3]), max_size=8))
def test_whatever_is_written_leaves_the_file_whole(written: list[list[Command]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "facts.db"
        with SQLiteStore(path) as store:
            for batch in written:
                with suppress(GraphError):
                    store.apply(batch)
            assert verify(path).problems == ()
            store.compact(store.revision // 2)
            assert verify(path).problems == ()


DAMAGE = {
    "a revision is missing": ("DELETE FROM commits WHERE revision = 9", "feed"),
    "the first revision is missing": ("DELETE FROM commits WHERE revision = 1", "feed"),
    "time runs back": ("UPDATE commits SET recorded_at = 7 WHERE revision = 9", "feed"),
    "two versions are current": (
        f"UPDATE versions SET until = {2**62} WHERE version IN (SELECT before FROM changes)",
        "versions",
    ),
    "a version ends early": ("UPDATE versions SET until = revision WHERE version = 9", "versions"),
    "a change is missing": ("DELETE FROM changes WHERE revision = 9", "versions"),
    "a change shows another's version": (
        "UPDATE changes SET after = 1 WHERE revision = 9 AND position = 0",
        "versions",
    ),
    "a date of the look-up is wrong": (
        "UPDATE versions SET begins = begins + 1 WHERE version = 1",
        "facts",
    ),
    "a date is none": ("UPDATE versions SET valid_from = '18x0' WHERE version = 1", "facts"),
    "attributes are no JSON": ("UPDATE versions SET attributes = '{' WHERE version = 9", "facts"),
    "a status lacks its cause": (
        "UPDATE versions SET status = 'superseded' WHERE superseded_by IS NULL",
        "facts",
    ),
    "a text has zeros": ("UPDATE entities SET name = 'king' || char(0) WHERE entity = 2", "facts"),
    "an alias is empty": ("UPDATE aliases SET alias = '' WHERE alias = 'realm 8'", "names"),
    "a setting is unknown": ("UPDATE settings SET cardinality = 'few'", "names"),
    "an entity is missing": ("DELETE FROM entities WHERE entity = 2", "references"),
    "a name was left behind": ("INSERT INTO entities (name) VALUES ('ghost')", "references"),
    "a relation was left behind": ("INSERT INTO relations (name) VALUES ('x')", "references"),
    "an index is missing": ("DROP INDEX versions_by_object", "tables"),
    "a table is too many": ("CREATE TABLE more (x)", "tables"),
}


@pytest.mark.parametrize(("statement", "check"), DAMAGE.values(), ids=DAMAGE)
def test_what_is_wrong_in_the_tables_is_found(path: Path, statement: str, check: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute(statement).rowcount != 0
    assert check in problems(path)


def test_a_report_names_the_first_problems_of_a_check_and_goes_on(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE versions SET begins = begins + 1 WHERE begins > -1e15")
        connection.execute("UPDATE settings SET cardinality = 'few'")
    checks = [problem.check for problem in verify(path).problems]
    assert checks == ["facts"] * PROBLEMS_KEPT + ["names"]


def dump(path: Path) -> list[str]:
    """All that is in the tables."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def assert_found_or_no_matter(path: Path, torn: bytes, whole: bytes) -> None:
    """The damage is told, or it hit bytes that nothing uses, and all reads as before."""
    path.write_bytes(torn)
    try:
        found = verify(path).problems
    except StoreCorrupt:
        return
    if not found:
        read = dump(path)
        path.write_bytes(whole)
        assert read == dump(path)


@pytest.mark.parametrize("half", [0, PAGE // 2])
def test_a_page_that_lost_its_half_is_found_wherever_it_is(path: Path, half: int) -> None:
    whole = path.read_bytes()
    for start in range(half, len(whole), PAGE):
        torn = whole[:start] + bytes(PAGE // 2) + whole[start + PAGE // 2 :]
        assert_found_or_no_matter(path, torn, whole)


def test_a_page_of_which_half_is_older_is_found(path: Path) -> None:
    older = path.read_bytes()
    with SQLiteStore(path) as store:
        store.apply([Add(f"land {n}", "king", f"usurper {n}", "2000") for n in range(40)])
    newer = path.read_bytes()
    torn_pages = 0
    for start in range(0, len(older), PAGE):
        half, end = start + PAGE // 2, start + PAGE
        for torn in (
            newer[:start] + older[start:half] + newer[half:],
            newer[:half] + older[half:end] + newer[end:],
        ):
            torn_pages += torn != newer
            assert_found_or_no_matter(path, torn, newer)
    assert torn_pages > 20


def test_a_check_changes_nothing_and_does_not_wait_for_a_writer(path: Path) -> None:
    before = path.read_bytes()
    assert verify(path).problems == ()
    assert path.read_bytes() == before
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM commits WHERE revision = 33")
        assert verify(path).problems == ()


def test_a_check_sees_one_revision_whatever_is_written_meanwhile(path: Path) -> None:
    with SQLiteStore(path) as store:
        found = verify(path, lambda check: store.apply([Add("x", "y", f"z {check}")]) and None)
        assert (found.revision, found.problems) == (33, ())
        assert store.revision == 40


def test_an_erasure_that_is_not_scrubbed_yet_is_told(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM entities").fetchone()
        with SQLiteStore(path) as store:
            store.apply([Erase("k8")])
        assert verify(path).unscrubbed
    SQLiteStore(path).close()
    assert not verify(path).unscrubbed


@pytest.mark.parametrize(
    ("version", "words"), [(SCHEMA_VERSION + 1, "newer dysk"), (SCHEMA_VERSION - 1, "older dysk")]
)
def test_a_file_of_another_version_is_refused_untouched(
    path: Path, version: int, words: str
) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match=words):
        verify(path)
    assert path.read_bytes() == before


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no store"):
        verify(tmp_path / "missing.db")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "notes.txt").write_bytes(random.Random(1).randbytes(9000))
    with pytest.raises(StoreCorrupt, match="not a SQLite database"):
        verify(tmp_path / "notes.txt")
