"""Dates and half-open intervals, against ``datetime`` and against counting instants by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph import Fact, Interval, InvalidTime, Period, format_utc, parse_date, parse_interval
from graph.interval import MAX_SECONDS, MIN_SECONDS, now_period

moments = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0))
small = st.integers(0, 6)


def seconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)


@given(st.dates())
def test_a_day_starts_and_ends_where_datetime_says(day: date) -> None:
    period = parse_date(day.isoformat())
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert (period.start, period.end) == (seconds(start), seconds(start) + 86_400)


@given(st.dates(max_value=date(9998, 12, 31)))
def test_months_and_years_are_the_days_they_hold(day: date) -> None:
    month, year = parse_date(day.isoformat()[:7]), parse_date(day.isoformat()[:4])
    first = date(day.year, day.month, 1)
    following = (first + timedelta(days=31)).replace(day=1)
    assert month.start == parse_date(first.isoformat()).start
    assert month.end == parse_date(following.isoformat()).start
    assert year.start == parse_date(f"{day.year:04}-01-01").start
    assert year.end == parse_date(f"{day.year + 1:04}-01-01").start


@given(moments, st.integers(-14 * 60 + 1, 14 * 60 - 1))
def test_a_time_of_day_is_one_second_in_any_zone(moment: datetime, offset: int) -> None:
    sign, (hours, minutes) = "-" if offset < 0 else "+", divmod(abs(offset), 60)
    text = f"{moment.replace(tzinfo=None).isoformat()}{sign}{hours:02}:{minutes:02}"
    zone = timezone(timedelta(minutes=offset))
    period = parse_date(text)
    local = seconds(moment) - int(zone.utcoffset(None).total_seconds())
    assert (period.start, period.end) == (local, local + 1)


@given(moments.filter(lambda moment: moment.year >= 1000))
def test_formatting_a_moment_and_reading_it_gives_the_moment(moment: datetime) -> None:
    assert parse_date(format_utc(moment)).start == seconds(moment)


def test_the_present_lies_in_the_present_period() -> None:
    before = seconds(datetime.now(UTC))
    assert before <= now_period().start <= seconds(datetime.now(UTC))


@pytest.mark.parametrize(
    ("text", "start", "length"),
    [
        ("1970", 0, 365 * 86_400),
        ("1970-01-01T00:00Z", 0, 1),
        ("1970-01-01T00:00", 0, 1),
        ("1970-01-01T01:00:00.123456789+01:00", 0, 1),
        ("2024-02", 1_706_745_600, 29 * 86_400),
        ("0000", -62_167_219_200, 366 * 86_400),
        ("-0001", -62_198_755_200, 365 * 86_400),
        ("+10000", 253_402_300_800, 366 * 86_400),
    ],
)
def test_worked_examples(text: str, start: int, length: int) -> None:
    assert parse_date(text) == Period(text, start, start + length)


@given(st.integers(-9_999_999, 9_999_998))
def test_far_years_follow_one_another_without_gap(year: int) -> None:
    def text(number: int) -> str:
        return f"{'-' if number < 0 else '+'}{abs(number):04}"

    assert parse_date(text(year)).end == parse_date(text(year + 1)).start


@pytest.mark.parametrize(
    "text",
    [
        "",
        "21",
        "20210",
        "2021-1",
        "2021-13",
        "2021-00",
        "2021-02-29",
        "2021-04-31",
        "2021-05-00",
        "2021-5-3",
        "2021/05/03",
        "2021-05-03T",
        "2021-05-03T24:00Z",
        "2021-05-03T10:60Z",
        "2021-05-03T10",
        "2021-05-03 10:00",
        "2021-05-03T10:00+15:00",
        "2021T10:00Z",
        "May 2021",
        "2021-05-03T10:00Z\n",
        "２０２１",
        "+12345678",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(InvalidTime):
        parse_date(text)


@pytest.mark.parametrize("value", [None, 2021, ["2021"], b"2021"])
def test_what_is_no_text_is_no_date(value: Any) -> None:
    with pytest.raises(InvalidTime, match="not a text"):
        parse_date(value)


@given(st.text(max_size=12))
def test_any_other_text_is_a_date_or_refused(text: str) -> None:
    try:
        period = parse_date(text)
    except InvalidTime:
        return
    assert period.text == text
    assert MIN_SECONDS < period.start < period.end < MAX_SECONDS


@given(small, small, small, small)
def test_intervals_overlap_when_an_instant_is_in_both(a: int, b: int, c: int, d: int) -> None:
    left, right = Interval(a, b), Interval(c, d)
    shared = set(range(a, b)) & set(range(c, d))
    assert left.overlaps(right) == right.overlaps(left) == bool(shared)


def test_an_open_interval_overlaps_all_but_the_empty() -> None:
    assert Interval().overlaps(parse_date("-9999999"))
    assert Interval().overlaps(Interval(3, 4))
    assert not Interval().overlaps(Interval(3, 3))


@pytest.mark.parametrize(("start", "end"), [("2021", "2021"), ("2021", "2021-01-01")])
def test_an_empty_interval_is_refused(start: str, end: str) -> None:
    with pytest.raises(InvalidTime, match="is empty"):
        parse_interval(start, end)


def test_an_inverted_interval_is_refused() -> None:
    with pytest.raises(InvalidTime, match="is inverted"):
        parse_interval("2022", "2021-12-31")


def test_open_ends_are_the_sentinels() -> None:
    assert parse_interval(None, None) == Interval(MIN_SECONDS, MAX_SECONDS)
    assert parse_interval("1970", None) == Interval(0, MAX_SECONDS)
    assert parse_interval(None, "1970") == Interval(MIN_SECONDS, 0)


def test_a_fact_holds_from_its_start_until_before_its_end() -> None:
    fact = Fact("f", "a", "b", "c", "2021", "2022")
    assert [fact.holds_in(parse_date(year)) for year in ("2020", "2021", "2022")] == [
        False,
        True,
        False,
    ]
    assert fact.holds_in(None)


def test_retracted_and_wholly_superseded_facts_hold_nowhere() -> None:
    for fact in (
        Fact("f", "a", "b", "c", "2021", status="retracted"),
        Fact("f", "a", "b", "c", "2021", "2021", status="superseded", superseded_by="g"),
        Fact("f", "a", "b", "c", "2021", "2020", status="superseded", superseded_by="g"),
        Fact("f", "a", "b", "c", status="superseded", superseded_by="g"),
    ):
        assert fact.interval.start == fact.interval.end
        assert not fact.holds_in(None)
        assert not fact.holds_in(parse_date("2021"))
