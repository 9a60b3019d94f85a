"""Dates and numbers come back in the form of the question."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dysk.forms import in_askers_form
from dysk.grounding import speaks

BORN = "1978-10-24"


@pytest.mark.parametrize(
    ("question", "form"),
    [
        ("When was Ada born?", "October 24, 1978"),
        ("In which year was Ada born?", "1978"),
        ("What year was it?", "1978"),
        ("In what month was Ada born?", "October 1978"),
        ("Who was born after 3 May 1970, and when?", "24 October 1978"),
        ("Was it the 3rd of May 1970, or when?", "24 October 1978"),
        ("Was it 1970-05-03, or when?", "1978-10-24"),
        ("Was it May 3, 1970, or when?", "October 24, 1978"),
    ],
)
def test_a_day_is_written_as_the_question_writes_or_wants_it(question: str, form: str) -> None:
    assert in_askers_form(BORN, question) == form


def test_a_month_has_no_day_to_tell_and_a_year_stays() -> None:
    assert in_askers_form("1978-10", "When was that, not on 3 May 1970?") == "October 1978"
    assert in_askers_form("1978-10", "In which year was that?") == "1978"
    assert in_askers_form("1978", "In which month was that?") == "1978"


@pytest.mark.parametrize(
    ("name", "question", "form"),
    [
        ("1234567", "More than 1,000,000 people, or how many?", "1,234,567"),
        ("1,234,567", "More than 1000000 people, or how many?", "1234567"),
        ("1234567", "How many people?", "1234567"),
        ("1,234,567", "How many people?", "1,234,567"),
        ("-12345", "Below 1,000 metres?", "-12,345"),
        ("1984", "More than 1,000,000?", "1984"),  # may be a year
        ("Route 12345", "More than 1,000,000?", "Route 12345"),
        ("1,23,45", "More than 1,000,000?", "1,23,45"),
    ],
)
def test_whole_numbers_follow_the_question_s_grouping(name: str, question: str, form: str) -> None:
    assert in_askers_form(name, question) == form


@given(st.text(), st.text())
def test_what_is_neither_date_nor_number_stays(name: str, question: str) -> None:
    if not any(character.isdigit() for character in name):
        assert in_askers_form(name, question) == name


@given(st.dates(min_value=date(1000, 1, 1)), st.sampled_from(["When?", "Not 3 May?", "2001-01-01"]))
def test_a_whole_date_is_spoken_in_every_form(day: date, question: str) -> None:
    assert speaks(in_askers_form(day.isoformat(), question), day.isoformat())


def test_what_looks_like_a_date_and_is_none_stays() -> None:
    assert in_askers_form("1978-13-40", "In which year?") == "1978-13-40"
