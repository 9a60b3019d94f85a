"""A file of an earlier format is taken up as it is, and can do what came since."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from graph import (
    Add,
    Correct,
    IdempotencyMismatch,
    MergeEntities,
    Relation,
    SetRelation,
    SQLiteStore,
    migrations,
)
from graph.migrations import APPLICATION_ID, CURRENT
from tests.contracts.clock import Clock

FIRST = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = 1;
INSERT INTO commits VALUES (1, 1763985600), (2, 1795521600);
INSERT INTO entities VALUES (1, 'Ruritania'), (2, 'Rudlof'), (3, 'Rudolf');
INSERT INTO aliases VALUES (1, 'R''ia', 1);
INSERT INTO relations VALUES (1, 'king');
INSERT INTO settings VALUES (1, 1, 'one', NULL);
INSERT INTO facts VALUES (1, 'f1');
INSERT INTO versions (fact, revision, until, subject, relation, object, begins, ends, valid_from,
                      status, ended, exclusive)
    VALUES (1, 1, 2, 1, 1, 2, -2524521600, {2**62}, '1890', 'active', 0, 1),
           (1, 2, {CURRENT}, 1, 1, 3, -2524521600, {2**62}, '1890', 'active', 0, 1);
INSERT INTO changes VALUES (1, 0, 'relation', NULL, NULL, NULL, 1, NULL, NULL),
    (1, 1, 'alias', NULL, NULL, NULL, NULL, 1, '["R''ia"]'),
    (1, 2, 'add', 1, NULL, 1, NULL, NULL, NULL), (2, 0, 'correct', 1, 1, 2, NULL, NULL, NULL);
INSERT INTO receipts VALUES ('old', 'x', 1, 1, '[]'), ('new', 'x', 2, 1, '[]');
"""
"""A king, corrected, as the first format has him."""


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A file of the first format."""
    path = tmp_path / "facts.db"
    with closing(sqlite3.connect(path)) as connection:
        for statement in migrations._STEPS[0]:
            connection.execute(statement)
        connection.executescript(FIRST)
    return path


def test_facts_history_and_feed_are_as_they_were(first: Path) -> None:
    with SQLiteStore(first) as store:
        assert [version.object for version in store.snapshot().history("f1")] == [
            "Rudlof",
            "Rudolf",
        ]
        assert store.snapshot().relation("king") == Relation("king", "one")
        assert store.snapshot().aliases("Ruritania") == ("R'ia",)
        kinds = [[change.kind for change in commit.changes] for commit in store.changes()]
        assert kinds == [["relation", "alias", "add"], ["correct"]]


def test_what_came_since_works_on_it(first: Path) -> None:
    with SQLiteStore(first) as store:
        store.apply([Add("Ruritania", "king", "Michael", "1893")])
        assert store.snapshot().get("f1").valid_to == "1893"
        store.apply([SetRelation(Relation("king", "one", inverse="reigns over"))])
        store.apply([MergeEntities("Ruritania", "Zenda"), Correct("f1", {"object": "R."})])
        turned = list(store.snapshot().facts(relation="reigns over", subject="R."))
        assert [fact.object for fact in turned] == ["Zenda"]
        store.compact(4)
        assert [version.object for version in store.snapshot().history("f1")] == ["Rudolf", "R."]


def test_idempotency_keys_expire_by_the_commit_they_came_with(first: Path) -> None:
    with SQLiteStore(first, Clock()) as store:
        with pytest.raises(IdempotencyMismatch):
            store.apply([Add("a", "b", "c")], idempotency_key="new")
        assert not store.apply([Add("a", "b", "c")], idempotency_key="old").replayed


def test_a_file_that_took_every_step_is_like_a_new_one(first: Path, tmp_path: Path) -> None:
    schemas = []
    for path in (first, tmp_path / "new.db"):
        SQLiteStore(path).close()
        with closing(sqlite3.connect(path)) as connection:
            schemas.append(
                connection.execute("SELECT sql FROM sqlite_master ORDER BY 1").fetchall()
            )
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert schemas[0] == schemas[1]
