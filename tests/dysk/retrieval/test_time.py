from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dysk.retrieval.time import TimeInterpretation, interpret
from dysk.retrieval.verbalize import MONTHS
from graph.interval import parse_date

NOW = datetime(2026, 11, 24, 5, 40, 26, tzinfo=UTC)  # a Tuesday
NOW_TEXT = "2026-11-24T05:40:26Z"


def read(question: str) -> TimeInterpretation:
    return interpret(question, NOW)


def as_of(question: str) -> str | None:
    period = read(question).as_of
    return None if period is None else period.text


@pytest.mark.parametrize(
    ("time", "text"),
    [
        # years where a preposition, a word or brackets say that they are years
        ("in 1999", "1999"),
        ("in the year 1999", "1999"),
        ("in fiscal year 2004", "2004"),
        ("for the year 2004", "2004"),
        ("during 2004", "2004"),
        ("throughout 2004", "2004"),
        ("as of 2020", "2020"),
        ("around 1850", "1850"),
        ("by 2004", "2004"),
        ("from 2019", "2019"),
        ("(2004)", "2004"),
        # months, days, quarters, seasons
        ("in March 2023", "2023-03"),
        ("in Mar 2023", "2023-03"),
        ("in Sept. 2001", "2001-09"),
        ("in March of 2023", "2023-03"),
        ("in May 2023", "2023-05"),
        ("on June 1, 2026", "2026-06-01"),
        ("on June 1st 2026", "2026-06-01"),
        ("on 1 June 2026", "2026-06-01"),
        ("on the 3rd of July, 2019", "2019-07-03"),
        ("on 2026-06-01", "2026-06-01"),
        ("in 2026-06", "2026-06"),
        ("in Q3 2021", "2021-07/2021-09"),
        ("in the third quarter of 2021", "2021-07/2021-09"),
        ("in the summer of 2018", "2018-06/2018-08"),
        ("in winter 2018", "2018-12/2019-02"),
        # longer and vaguer times
        ("in the 1990s", "1990/1999"),
        ("in the 90s", "1990/1999"),
        ("in the 19th century", "1801/1900"),
        ("in early 2019", "2019-01/2019-04"),
        ("in mid-2019", "2019-05/2019-08"),
        ("in late 2019", "2019-09/2019-12"),
        ("early in 2019", "2019-01/2019-04"),
        ("in the late 1990s", "1996/1999"),
        ("in early March 2020", "2020-03-01/2020-03-10"),
        ("in the first half of 2019", "2019-01/2019-06"),
        ("in the second half of 2019", "2019-07/2019-12"),
        ("at the beginning of 2019", "2019-01-01"),
        ("at the end of 2019", "2019-12-31"),
        ("at the end of February 2020", "2020-02-29"),
        ("in the middle of 2019", "2019-05/2019-08"),
        # ranges cover both ends
        ("from 1811 to 1827", "1811/1827"),
        ("from 2004 until 2006", "2004/2006"),
        ("between Nov 1918 and Jul 1919", "1918-11/1919-07"),
        ("between 2004 and 2006", "2004/2006"),
        ("from March to June 2020", "2020-03/2020-06"),
        ("from November to February 2020", "2019-11/2020-02"),
        ("from June 1 to June 5, 2020", "2020-06-01/2020-06-05"),
        ("in 2004–2008", "2004/2008"),
        ("(1914-1918)", "1914/1918"),
        ("from the 1960s to the 1980s", "1960/1989"),
        # one side of a date
        ("before 1811", "1810-12-31"),
        ("before Mar 2024", "2024-02-29"),
        ("prior to June 1, 2020", "2020-05-31"),
        ("until 2004", "2003-12-31"),
        ("after 2004", "2005-01-01"),
        ("after Jun 1966", "1966-07-01"),
        ("after 31 December 1999", "2000-01-01"),
        ("since 2019", f"2019/{NOW_TEXT}"),
        ("since May 2025", f"2025-05/{NOW_TEXT}"),
        ("since 2026", "2026"),
    ],
)
def test_explicit_times(time: str, text: str) -> None:
    result = read(f"Who led the Northwind Ferries {time}?")
    assert result.as_of is not None
    assert (result.as_of.text, result.kind) == (text, "explicit")
    assert result.question_without_time == "Who led the Northwind Ferries?"
    assert result.text == time.strip("()")


@pytest.mark.parametrize(
    ("time", "text"),
    [
        ("now", NOW_TEXT),
        ("currently", NOW_TEXT),
        ("at the moment", NOW_TEXT),
        ("right now", NOW_TEXT),
        ("as of now", NOW_TEXT),
        ("today", "2026-11-24"),
        ("yesterday", "2026-11-23"),
        ("the day before yesterday", "2026-11-22"),
        ("last week", "2026-11-16/2026-11-22"),
        ("this month", "2026-11"),
        ("last month", "2026-10"),
        ("next month", "2026-12"),
        ("last year", "2025"),
        ("this year", "2026"),
        ("next year", "2027"),
        ("last decade", "2010/2019"),
        ("last March", "2026-03"),
        ("last December", "2025-12"),
        ("last November", "2025-11"),
        ("next March", "2027-03"),
        ("last Monday", "2026-11-23"),
        ("last Tuesday", "2026-11-17"),
        ("in March", "2026-03"),
        ("in December", "2025-12"),
        ("on June 1", "2026-06-01"),
        ("on 25 November", "2025-11-25"),
        ("two years ago", "2024-11-24"),
        ("a year ago", "2025-11-24"),
        ("a couple of months ago", "2026-09-24"),
        ("9 months ago", "2026-02-24"),
        ("a decade ago", "2016-11-24"),
        ("three weeks ago", "2026-11-03"),
        ("in the last five years", "2021-11-24/2026-11-24"),
        ("before last year", "2024-12-31"),
        ("since last year", f"2025/{NOW_TEXT}"),
        ("from 2004 to present", f"2004/{NOW_TEXT}"),
        ("from 2004 until now", f"2004/{NOW_TEXT}"),
        ("at the end of last year", "2025-12-31"),
        ("early this year", "2026-01/2026-04"),
    ],
)
def test_relative_times(time: str, text: str) -> None:
    result = read(f"Who leads the Northwind Ferries {time}?")
    assert result.as_of is not None
    assert (result.as_of.text, result.kind) == (text, "relative")


@pytest.mark.parametrize(
    "question",
    [
        "Who makes the Boeing 747?",
        "Who directed Blade Runner 2049?",
        "What is Area 51?",
        "Who directed Apocalypse Now?",
        "Who starred in 2001: A Space Odyssey?",
        "Who wrote Windows 2000?",
        "Who publishes USA Today?",
        "Who sang Yesterday?",
        'Who sings "Summer of 1969 in 1970"?',
        "Who sings “Live in 1969”?",
        "Who won in 2012 Summer Olympics?",
        "Who hosted the 2026 World Cup?",
        "Who is the author of Wait Till Next Year?",
        "Which language was Works 1979–1983 written in?",
        "Who swims in 1500 metres?",
        "Which town has over 2000 inhabitants?",
        "Who lives at 1600 Harbour Street?",
        "Who rents a flat from 1999.50 euros on?",
        "Which firm earned $2000 in bonds?",
        "Which version came after 12.2004.1?",
        "Who may become mayor?",
        "Who will march to the harbour?",
        "When was Mira Tan born?",
        "Who led the ferries in 2103?",
        "",
    ],
)
def test_numbers_and_words_in_names_are_no_dates(question: str) -> None:
    assert read(question) == TimeInterpretation(None, None, "none", question)


@pytest.mark.parametrize(
    ("question", "rest"),
    [
        ("In 1999, who led Avaria?", "Who led Avaria?"),
        ("Who, in 1999, led Avaria?", "Who, led Avaria?"),
        ("Who in 1999 led Avaria?", "Who led Avaria?"),
        ("Today, who leads Avaria?", "Who leads Avaria?"),
        ("Who is currently mayor?", "Who is mayor?"),
        ("Who is the current mayor of Lund?", "Who is the mayor of Lund?"),
        ("Who was mayor of Lund, 2004?", "Who was mayor of Lund?"),
        ("Who led Avaria (1914–1918) and Lund?", "Who led Avaria and Lund?"),
        ("In 2004?", "In 2004?"),
    ],
)
def test_what_is_left_reads_as_a_question(question: str, rest: str) -> None:
    assert read(question).question_without_time == rest


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Who managed the institute that was founded in 1969 in Aug 1999?", "1999-08"),
        ("In 1999, who led the company founded in 1950?", "1999"),
        ("Born 12 January 2000, she was given what title in 2017?", "2017"),
        ("In 1998, which team hired the man who was born in 1961?", "1998"),
        ("Who led it from 2005 to 2007 in the building of 1850?", "2005/2007"),
        ("Who currently leads the company founded in 1950?", NOW_TEXT),
        ("Who was the current champion of the league in 1999?", "1999"),
        ("What was the firm now known as Northwind called in 1960?", "1960"),
        ("Who bought the now-defunct shipyard in 1999?", "1999"),
        ("Who has been the current owner since 2019?", f"2019/{NOW_TEXT}"),
    ],
)
def test_of_several_times_the_one_that_governs_is_taken(question: str, text: str) -> None:
    assert as_of(question) == text


def test_a_time_within_a_known_name_is_part_of_the_name() -> None:
    question = "Who performed December, 1963?"
    assert interpret(question, NOW, [(14, 28)]).kind == "none"
    assert interpret(question, NOW, [(4, 13)]).as_of == parse_date("1963-12")


def test_a_name_of_digits_does_not_hide_a_year() -> None:
    question = "Who led Avaria in 1999?"
    start = question.index("1999")
    assert interpret(question, NOW, [(start, start + 4)]).as_of == parse_date("1999")


def test_a_known_name_does_not_hide_times_beside_it() -> None:
    question = "Who reviewed Blade of Winter 2049 in 2018?"
    result = interpret(question, NOW, [(13, 33)])
    assert result.as_of == parse_date("2018")
    assert result.question_without_time == "Who reviewed Blade of Winter 2049?"


def test_an_impossible_day_is_no_day() -> None:
    assert as_of("Who led Avaria on February 30?") is None
    assert as_of("Who led Avaria on 2021-13-01?") is None


def test_an_inverted_range_is_no_range() -> None:
    result = read("Who led Avaria from 1930 to 1832?")
    assert result.as_of in (parse_date("1930"), parse_date("1832"))


def test_now_is_taken_in_utc() -> None:
    east = datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert interpret("Who led Avaria this year?", east).as_of == parse_date("2025")
    naive = datetime(2026, 1, 1, 1, 0)
    assert interpret("Who leads Avaria now?", naive).as_of == parse_date("2026-01-01T01:00:00Z")


def test_the_twenty_ninth_of_february_has_a_year_before() -> None:
    leap = datetime(2024, 2, 29, tzinfo=UTC)
    assert interpret("Who led Avaria a year ago?", leap).as_of == parse_date("2023-02-28")


DATES = st.dates(date(1000, 1, 1), date(2100, 12, 31))
RENDERINGS: list[Callable[[date], str]] = [
    lambda d: d.isoformat(),
    lambda d: f"{MONTHS[d.month - 1]} {d.day}, {d.year}",
    lambda d: f"{d.day} {MONTHS[d.month - 1]} {d.year}",
    lambda d: f"{MONTHS[d.month - 1][:3]} {d.day} {d.year}",
    lambda d: f"{MONTHS[d.month - 1].upper()} {d.day}, {d.year}",
    lambda d: f"the {d.day}th of {MONTHS[d.month - 1]} {d.year}",
]


@given(DATES, st.integers(0, len(RENDERINGS) - 1))
def test_a_day_reads_back_in_every_form(day: date, form: int) -> None:
    result = read(f"Who led Avaria on {RENDERINGS[form](day)}?")
    assert result.as_of == parse_date(day.isoformat())
    assert result.question_without_time == "Who led Avaria?"


@given(DATES, st.sampled_from(["in {} {}", "during {}, {}", "{} {}"]))
def test_a_month_reads_back_in_every_form(day: date, form: str) -> None:
    for name in (MONTHS[day.month - 1], MONTHS[day.month - 1][:3]):
        assert as_of(f"Who led Avaria {form.format(name, day.year)}?") == day.isoformat()[:7]


@given(DATES, DATES)
def test_a_range_of_days_runs_from_the_first_to_the_end_of_the_last(a: date, b: date) -> None:
    first, last = sorted((a, b))
    assume(first < last)
    period = read(f"Who led Avaria between {RENDERINGS[1](first)} and {RENDERINGS[2](last)}?").as_of
    assert period is not None
    assert period.start == parse_date(first.isoformat()).start
    assert period.end == parse_date(last.isoformat()).end


@given(DATES)
def test_before_and_after_enclose_the_date_without_gap(day: date) -> None:
    assume(date(1000, 1, 1) < day < date(2100, 12, 31))
    before = read(f"Who led Avaria before {RENDERINGS[1](day)}?").as_of
    after = read(f"Who led Avaria after {RENDERINGS[1](day)}?").as_of
    whole = parse_date(day.isoformat())
    assert before is not None and before.end == whole.start
    assert after is not None and after.start == whole.end


@given(st.text())
def test_any_text_is_read_without_error(question: str) -> None:
    result = read(question)
    assert (result.as_of is None) == (result.text is None) == (result.kind == "none")
    if result.as_of is None:
        assert result.question_without_time == question


TIME_WORDS = (
    "in from to between and 2004 1999 March May 31 last year ago two the ( ) , – since before "
    "early of 1990s today now end ?"
)


@given(st.lists(st.sampled_from(TIME_WORDS.split(" ")), max_size=12))
def test_any_jumble_of_time_words_is_read_without_error(words: list[str]) -> None:
    result = read(" ".join(words))
    if result.as_of is not None:
        assert result.as_of.start < result.as_of.end
