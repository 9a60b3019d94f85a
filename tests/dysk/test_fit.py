"""Of several facts that hold, the one is meant whose time fits the question's best."""

from __future__ import annotations

import pytest

from dysk.fit import fit, latest
from graph import Fact
from graph.interval import Period, parse_date

YEAR = parse_date("2000")
DAY = parse_date("2000-06-15")


def fact(valid_from: str | None, valid_to: str | None) -> Fact:
    return Fact("f", "s", "r", "o", valid_from=valid_from, valid_to=valid_to)


@pytest.mark.parametrize(
    ("better", "worse", "period", "happens"),
    [
        # the holder of an office for most of the year, not the one for a week of it
        (("1999", "2000-12-20"), ("2000-12-20", "2003"), YEAR, False),
        (("2000-01-08", None), ("1990", "2000-01-08"), YEAR, False),
        # the prize won in the year, not the one held through all of it
        (("2000-11", None), ("1990", None), YEAR, True),
        # of two that happened in it, the one that lasted longer in it
        (("2000-02", None), ("2000-11", None), YEAR, True),
    ],
)
def test_the_fact_whose_time_fits_the_period_better_is_greater(
    better: tuple[str, str | None],
    worse: tuple[str, str | None],
    period: Period,
    happens: bool,
) -> None:
    for past in (None, period):
        assert fit(fact(*better), period, past, happens=happens) > fit(
            fact(*worse), period, past, happens=happens
        )


def test_facts_that_hold_all_through_the_period_fit_alike() -> None:
    dates = [(None, None), ("1990", None), ("2000", "2001"), ("2000-06-01", "2010")]
    for happens in (False, True):
        assert len({fit(fact(*d), DAY, None, happens=happens) for d in dates}) == 1
        assert len({fit(fact(*d), DAY, DAY, happens=happens) for d in dates[1:]}) == 1


def test_of_a_past_time_a_fact_with_a_start_is_surer_than_one_without() -> None:
    dated, undated = fact("1990", None), fact(None, None)
    assert fit(dated, DAY, DAY, happens=True) > fit(undated, DAY, DAY, happens=True)
    assert fit(dated, DAY, None, happens=True) == fit(undated, DAY, None, happens=True)


def test_the_words_of_the_question_tell_which_of_two_is_meant() -> None:
    first, second = fact("1999", "2000"), fact("2000", "2003")
    as_of, spoken = parse_date("2000-01"), Period("1999/2000", parse_date("1999").start, YEAR.end)
    assert fit(first, as_of, spoken, happens=False) > fit(second, as_of, spoken, happens=False)
    assert fit(second, as_of, as_of, happens=False) > fit(first, as_of, as_of, happens=False)


@pytest.mark.parametrize(
    ("valid_to", "last"),
    [("2015", "2015-12-31"), ("2015-06", "2015-06-30"), ("2015-06-10", "2015-06-09")],
)
def test_an_end_is_as_vague_as_it_is_written(valid_to: str, last: str) -> None:
    assert latest(fact("2000", valid_to)).end == parse_date(last).end


def test_what_holds_nowhere_or_for_ever_has_no_vague_end() -> None:
    assert latest(fact("2000", "2000")).end == parse_date("2000").start
    assert latest(fact(None, None)) == fact(None, None).interval
