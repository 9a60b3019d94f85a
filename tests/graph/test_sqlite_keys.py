"""Keys of texts: one each, whatever the text, in the order in which they were made."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.migrations import migrate
from graph.sqlite_keys import ENTITIES, FACTS, Keys


@pytest.fixture(scope="module")
def file() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        yield connection


storable = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), codec="utf-8"), min_size=1, max_size=8
)


@given(texts=st.lists(storable, max_size=8), more=st.lists(storable, max_size=4))
def test_every_text_has_one_key_that_lasts(
    file: sqlite3.Connection, texts: list[str], more: list[str]
) -> None:
    file.execute("BEGIN")
    made = Keys(file).make(ENTITIES, texts)
    assert set(made) == set(texts)
    assert len(set(made.values())) == len(made)
    found = Keys(file)
    found.look_up(ENTITIES, [*texts, *more])
    file.execute("ROLLBACK")
    # What was looked up is remembered: nothing is read now, when the rows are gone.
    assert {text: found.find(ENTITIES, text) for text in texts} == made
    for text in set(more) - set(texts):
        assert found.find(ENTITIES, text) is None


def test_new_keys_follow_the_order_given(file: sqlite3.Connection) -> None:
    file.execute("BEGIN")
    keys = Keys(file)
    first = keys.make(FACTS, ["f9", "f10", "f9", "f1"])
    then = keys.make(FACTS, ["f2", "f10", "f0"])
    file.execute("ROLLBACK")
    start = first["f9"]
    assert first == {"f9": start, "f10": start + 1, "f1": start + 2}
    assert then == {"f2": start + 3, "f10": start + 1, "f0": start + 4}
