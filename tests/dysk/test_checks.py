"""What is refused before a model is asked, and that the refusal says what to do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dysk.answer import Grounding, Mode
from dysk.checks import (
    LONGEST_QUESTION,
    check_choice,
    check_count,
    check_dates,
    check_options,
    check_question,
)
from dysk.errors import InvalidQuestion
from graph import InvalidTime

OPTIONS: dict[str, Any] = {
    "mode": "attention",
    "grounding": "check",
    "candidates": 32,
    "top_k": 4,
    "max_tokens": 32,
}


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("", "empty"),
        (" \t\n", "empty"),
        (None, "empty"),
        (7, "empty"),
        ("x" * (LONGEST_QUESTION + 1), "4,001 characters"),
        ("Who\0?", "control"),
        ("Who\x1b[31m?", "control"),
        ("Who \ud800?", "broken Unicode"),
    ],
)
def test_what_is_no_question_is_refused(question: Any, said: str) -> None:
    with pytest.raises(InvalidQuestion, match=said):
        check_question(question)


@pytest.mark.parametrize(
    "question", ["Who?", "x" * LONGEST_QUESTION, "Who\n\tleads 日本 🗾?", "¿Quién?", "?"]
)
def test_text_of_any_kind_is_a_question(question: str) -> None:
    check_question(question)


@given(st.text(st.characters(codec="utf-8", min_codepoint=32), min_size=1, max_size=99))
def test_printable_text_is_refused_only_for_being_blank(text: str) -> None:
    if text.strip():
        check_question(text)
    else:
        with pytest.raises(InvalidQuestion):
            check_question(text)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("mode", "guess", "closed_book, rag, attention, hybrid"),
        ("mode", "", "mode"),
        ("grounding", "hard", "off, check, strict"),
        ("candidates", 0, "candidates"),
        ("candidates", -1, "candidates"),
        ("top_k", 0, "top_k"),
        ("top_k", True, "top_k"),
        ("top_k", "4", "top_k"),
        ("max_tokens", 0, "max_tokens"),
        ("max_tokens", 1.5, "max_tokens"),
    ],
)
def test_an_option_that_cannot_be_is_refused_by_its_name(
    option: str, value: Any, said: str
) -> None:
    check_options(**OPTIONS)
    with pytest.raises(InvalidQuestion, match=said):
        check_options(**(OPTIONS | {option: value}))


def test_every_mode_and_grounding_is_accepted() -> None:
    for mode in ("closed_book", "rag", "attention", "hybrid"):
        check_choice("mode", mode, Mode)
    for grounding in ("off", "check", "strict"):
        check_choice("grounding", grounding, Grounding)


@given(st.integers(min_value=1))
def test_any_whole_number_from_1_on_is_a_count(number: int) -> None:
    check_count("limit", number)


def test_a_date_that_is_none_is_refused() -> None:
    check_dates()
    check_dates(None, "2021", "2021-05-03T10:00Z")
    with pytest.raises(InvalidTime, match="29 days"):
        check_dates(None, "2021", "2024-02-30")
