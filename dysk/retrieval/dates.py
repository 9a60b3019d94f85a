"""English expressions for dates, one form a line: how each is written and what period it denotes.

Only the expression itself ("June 1, 2026", "late 2019", "last March"); what a preposition makes
of it is the business of ``dysk.retrieval.time``. Years run from 1000 to 2100.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from dysk.retrieval.verbalize import MONTHS
from graph.errors import InvalidTime
from graph.interval import DAY, Period, parse_date

_MONTH_NUMBER = {name.lower(): number for number, name in enumerate(MONTHS, 1)}
_MONTH_NUMBER |= {name[:3]: number for name, number in _MONTH_NUMBER.items()} | {"sept": 9}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_COUNTS = {
    "a": 1, "an": 1, "one": 1, "a couple of": 2, "two": 2, "three": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}  # their first months
_QUARTERS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": 4}

_YEAR = r"(?P<year>1\d{3}|20\d\d|2100)(?!\d)"
_DAY = r"(?P<day>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?(?!\d)"
# Without a year "May" must be capital: "may" is a verb.
_FULL_MONTH = rf"(?-i:(?P<month>{'|'.join(MONTHS)}))\b"
_MONTH = rf"(?P<month>{'|'.join(MONTHS)}|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\b\.?"
_DECADE = r"(?:the\s+)?(?P<decade>1\d\d|20\d)0['’]?s\b"
_COUNT = rf"(?P<count>\d{{1,3}}|{'|'.join(sorted(_COUNTS, key=len, reverse=True))})"
_UNIT = r"(?P<unit>day|week|month|year|decade)s?\b"


def _without_names(pattern: str) -> str:
    return re.sub(r"\?P<\w+>", "?:", pattern)


@dataclass(frozen=True, slots=True)
class Point:
    """A date expression that was understood.

    ``evident``: it is a date wherever it stands; others need a preposition ("2049" may be part of a
    name). ``relative``: it depends on the day on which it was said.
    """

    period: Period
    evident: bool
    relative: bool


@dataclass(frozen=True, slots=True)
class _Form:
    pattern: str
    read: Callable[[re.Match[str], date], Period]
    evident: bool = True
    relative: bool = False


def read_point(text: str, today: date) -> Point | None:
    """The period of one expression that matches ``POINT``, or None when it is no date after all.

    Relative expressions count from ``today``; a month or day without a year is the latest one.
    """
    for form in _FORMS:
        match = re.fullmatch(form.pattern, text, re.IGNORECASE)
        if match is None:
            continue
        try:
            period = form.read(match, today)
        except (InvalidTime, ValueError, OverflowError):
            continue
        return Point(period, form.evident, form.relative)
    return None


def span(first: Period, last: Period) -> Period:
    """From the start of one period to the end of another; its text is ISO 8601's ``first/last``."""
    if first == last:
        return first
    begin, end = first.text.split("/")[0], last.text.split("/")[-1]
    return Period(f"{begin}/{end}", first.start, last.end)


def year_of(number: int) -> Period:
    """A calendar year."""
    return parse_date(f"{number:04}")


def month_of(year: int, month: int) -> Period:
    """A calendar month; ``month`` beyond 1–12 runs into the years around."""
    extra, month_from_zero = divmod(month - 1, 12)
    return parse_date(f"{year + extra:04}-{month_from_zero + 1:02}")


def day_of(day: date) -> Period:
    """One day."""
    return parse_date(day.isoformat())


def day_before(period: Period) -> Period:
    """The last day before the period."""
    return day_of(_date_at(period.start - DAY))


def day_after(period: Period) -> Period:
    """The first day after the period."""
    return day_of(_date_at(period.end))


def last_day(period: Period) -> date:
    """The day on which the period ends."""
    return _date_at(period.end - 1)


def _date_at(seconds: int) -> date:
    return date(1970, 1, 1) + timedelta(days=seconds // DAY)


def _iso(match: re.Match[str], _: date) -> Period:
    return parse_date(match[0])


def _full_date(match: re.Match[str], _: date) -> Period:
    return day_of(date(int(match["year"]), _month_number(match), int(match["day"])))


def _month_year(match: re.Match[str], _: date) -> Period:
    return month_of(int(match["year"]), _month_number(match))


def _quarter(match: re.Match[str], _: date) -> Period:
    word = match["quarter"].lower()
    quarter = int(word) if word.isdigit() else _QUARTERS[word]
    year = int(match["year"])
    return span(month_of(year, 3 * quarter - 2), month_of(year, 3 * quarter))


def _season(match: re.Match[str], _: date) -> Period:
    year, first = int(match["year"]), _SEASONS[match["season"].lower()]
    return span(month_of(year, first), month_of(year, first + 2))


def _decade(match: re.Match[str], _: date) -> Period:
    first = 10 * int(match["decade"])
    return span(year_of(first), year_of(first + 9))


def _short_decade(match: re.Match[str], _: date) -> Period:
    first = 1900 + int(match["tens"])
    return span(year_of(first), year_of(first + 9))


def _century(match: re.Match[str], _: date) -> Period:
    last = 100 * int(match["century"])
    return span(year_of(last - 99), year_of(last))


def _year(match: re.Match[str], _: date) -> Period:
    return year_of(int(match["year"]))


def _part(match: re.Match[str], today: date) -> Period:
    whole = read_point(match["whole"], today)
    if whole is None:
        raise ValueError(f"{match['whole']} is no date")
    part, pieces = match["part"].lower(), _pieces(whole.period)
    count = len(pieces)
    if part in ("end", "close"):
        return day_before(Period("", whole.period.end, whole.period.end))
    if part in ("beginning", "start"):
        return day_of(_date_at(whole.period.start))
    begin, end = {
        "early": (0, count // 3),
        "late": (2 * count // 3, count),
        "first half": (0, count // 2),
        "second half": (count // 2, count),
    }.get(re.sub(r"\s+", " ", part), (count // 3, 2 * count // 3))
    return span(pieces[begin], pieces[end - 1])


def _pieces(period: Period) -> list[Period]:
    """The years of a decade, the months of a year, the days of a month."""
    first, last = _date_at(period.start), last_day(period)
    if first.year < last.year:
        return [year_of(year) for year in range(first.year, last.year + 1)]
    if first.month < last.month:
        return [month_of(first.year, month) for month in range(1, 13)]
    return [day_of(first + timedelta(days=n)) for n in range(last.day)]


def _bare_month(match: re.Match[str], today: date) -> Period:
    month = _month_number(match)
    return month_of(today.year if month <= today.month else today.year - 1, month)


def _bare_day(match: re.Match[str], today: date) -> Period:
    month, day = _month_number(match), int(match["day"])
    past = (month, day) <= (today.month, today.day)
    return day_of(date(today.year if past else today.year - 1, month, day))


def _calendar_unit(match: re.Match[str], today: date) -> Period:
    step = _step(match)
    unit = match["unit"].lower()
    if unit == "year":
        return year_of(today.year + step)
    if unit == "month":
        return month_of(today.year, today.month + step)
    if unit == "week":
        monday = today - timedelta(days=today.weekday()) + timedelta(weeks=step)
        return span(day_of(monday), day_of(monday + timedelta(days=6)))
    first = 10 * (today.year // 10 + step)
    return span(year_of(first), year_of(first + 9))


def _named_month(match: re.Match[str], today: date) -> Period:
    month, step = _month_number(match), _step(match)
    if step < 0:
        return month_of(today.year if month < today.month else today.year - 1, month)
    if step > 0:
        return month_of(today.year if month > today.month else today.year + 1, month)
    return month_of(today.year, month)


def _weekday(match: re.Match[str], today: date) -> Period:
    gap = (today.weekday() - _WEEKDAYS.index(match["weekday"].lower())) % 7
    return day_of(today - timedelta(days=gap or 7))


def _ago(match: re.Match[str], today: date) -> Period:
    return day_of(_earlier(today, match))


def _last_few(match: re.Match[str], today: date) -> Period:
    return span(day_of(_earlier(today, match)), day_of(today))


def _near_day(match: re.Match[str], today: date) -> Period:
    step = {"today": 0, "yesterday": -1, "tomorrow": 1}.get(match[0].lower(), -2)
    return day_of(today + timedelta(days=step))


def _earlier(today: date, match: re.Match[str]) -> date:
    word, unit = re.sub(r"\s+", " ", match["count"].lower()), match["unit"].lower()
    count = int(word) if word.isdigit() else _COUNTS[word]
    if unit in ("day", "week"):
        return today - timedelta(days=count * (7 if unit == "week" else 1))
    months = count * {"month": 1, "year": 12, "decade": 120}[unit]
    year, month_from_zero = divmod(12 * today.year + today.month - 1 - months, 12)
    last_day = monthrange(year, month_from_zero + 1)[1]
    return date(year, month_from_zero + 1, min(today.day, last_day))


def _month_number(match: re.Match[str]) -> int:
    return _MONTH_NUMBER[match["month"].lower()]


def _step(match: re.Match[str]) -> int:
    return {"this": 0, "the current": 0, "next": 1}.get(match["step"].lower(), -1)


_STEP = r"(?P<step>last|this|next|the\s+previous|the\s+past|the\s+current)"
_WHOLE = "(?P<whole>" + _without_names(rf"{_MONTH},?\s+{_YEAR}|{_DECADE}|{_YEAR}") + ")"
_RELATIVE_WHOLE = r"(?P<whole>(?:last|this|next)\s+(?:month|year|decade)\b)"
_PART = (
    r"(?:the\s+)?(?:very\s+)?(?P<part>(?:early|late|mid)(?=[\s-])"
    r"|(?:beginning|start|middle|end|close|first\s+half|second\s+half)(?=\s+of\b))"
    r"[\s-]+(?:of\s+|in\s+)?(?:the\s+)?(?:year\s+)?"
)
# Longer forms stand before those that they contain.
_FORMS = (
    _Form(rf"{_YEAR}-\d\d(?:-\d\d)?(?![\w-])", _iso),
    _Form(rf"{_MONTH}\s+{_DAY},?\s+{_YEAR}", _full_date),
    _Form(rf"(?:the\s+)?{_DAY}(?:\s+of)?\s+{_MONTH},?\s+{_YEAR}", _full_date),
    _Form(_PART + _WHOLE, _part),
    _Form(_PART + _RELATIVE_WHOLE, _part, relative=True),
    _Form(rf"{_MONTH},?\s+(?:of\s+)?{_YEAR}", _month_year),
    _Form(rf"Q(?P<quarter>[1-4])\s*(?:of\s+)?{_YEAR}", _quarter),
    _Form(
        rf"(?:the\s+)?(?P<quarter>{'|'.join(_QUARTERS)})\s+quarter\s+(?:of\s+)?{_YEAR}", _quarter
    ),
    _Form(rf"(?:the\s+)?(?P<season>{'|'.join(_SEASONS)})\s+(?:of\s+)?{_YEAR}", _season),
    _Form(_DECADE, _decade, evident=False),
    _Form(r"the\s+['’]?(?P<tens>[2-9]0)['’]?s\b", _short_decade, evident=False),
    _Form(r"the\s+(?P<century>1[1-9]|2[01])(?:st|th)\s+century\b", _century, evident=False),
    _Form(_YEAR, _year, evident=False),
    _Form(rf"{_COUNT}\s+{_UNIT}\s+ago\b", _ago, relative=True),
    _Form(rf"the\s+(?:last|past|previous)\s+{_COUNT}\s+{_UNIT}", _last_few, relative=True),
    _Form(rf"{_STEP}\s+(?P<unit>week|month|year|decade)\b(?!['’])", _calendar_unit, relative=True),
    _Form(rf"(?P<step>last|this|next)\s+{_FULL_MONTH}", _named_month, relative=True),
    _Form(rf"last\s+(?P<weekday>{'|'.join(_WEEKDAYS)})\b", _weekday, relative=True),
    _Form(r"the\s+day\s+before\s+yesterday\b", _near_day, relative=True),
    _Form(r"(?-i:yesterday|tomorrow)\b", _near_day, relative=True),  # "Yesterday" is a song
    _Form(r"today\b", _near_day, evident=False, relative=True),
    _Form(rf"{_FULL_MONTH}\s+{_DAY}", _bare_day, evident=False, relative=True),
    _Form(rf"(?:the\s+)?{_DAY}(?:\s+of)?\s+{_FULL_MONTH}", _bare_day, evident=False, relative=True),
    _Form(_FULL_MONTH, _bare_month, evident=False, relative=True),
)

POINT = "(?:" + "|".join(_without_names(form.pattern) for form in _FORMS) + ")"
"""Matches any form, without groups of its own; for use in larger patterns, ignoring case."""
