"""Cursors come back as they went out, for their own listing only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cursor import Cursor
from service.errors import Problem

texts = st.text(st.characters(exclude_categories=["Cs"]))
filters = st.dictionaries(texts, st.none() | texts | st.integers(), max_size=4)


@given(st.integers(0, 2**63), texts, filters)
def test_a_cursor_comes_back_for_its_own_filters(
    revision: int, after: str, chosen: dict[str, object]
) -> None:
    cursor = Cursor(revision, after)
    text = cursor.encode(chosen)
    assert text.isascii()
    assert not set(text) & set("+/=&?# ")
    assert Cursor.decode(text, chosen) == cursor


@given(filters, filters)
def test_a_cursor_is_refused_for_other_filters(
    mine: dict[str, object], other: dict[str, object]
) -> None:
    text = Cursor(1, "f1").encode(mine)
    if mine == other:
        assert Cursor.decode(text, other)
    else:
        with pytest.raises(Problem, match="other filters"):
            Cursor.decode(text, other)


@given(st.text() | st.binary().map(lambda b: b.decode("latin-1")))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refusal:
        Cursor.decode(text, {})
    assert refusal.value.code == "invalid_cursor"
