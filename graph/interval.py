"""Dates as people write them, and the half-open intervals that facts hold in.

A date is ISO 8601, possibly reduced (``2021``, ``2021-05``), possibly with a time of day; the text
is kept as given. Every date denotes a period ``[start, end)`` in whole seconds since 1970-01-01
UTC: ``2021`` is a year, ``2021-05-03`` a day, ``2021-05-03T10:00Z`` one second. A fact's interval
is ``[start of valid_from, start of valid_to)``: a reduced date is its first instant at either end.
Years may be negative or have more than four digits with a sign (ISO 8601-1:2019 §4.3.2), so the
arithmetic is ours: ``datetime`` ends at year 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from graph.errors import InvalidTime

MIN_SECONDS = -(2**62)
"""Stands for an open or unknown start."""
MAX_SECONDS = 2**62
"""Stands for an open or unknown end."""
DAY = 86_400

_DATE = re.compile(
    r"""(?P<year>[+-]\d{4,7}|\d{4})
        (?:-(?P<month>\d\d)
           (?:-(?P<day>\d\d)
              (?:T(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d{1,9})?)?
                 (?P<zone>Z|[+-]\d\d:\d\d)?)?)?)?""",
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Period:
    """What a date denotes: ``text`` as given, and its ``[start, end)`` in seconds since 1970
    UTC.
    """

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Interval:
    """Half-open valid time ``[start, end)`` in seconds since 1970 UTC; open ends are sentinels."""

    start: int = MIN_SECONDS
    end: int = MAX_SECONDS

    def overlaps(self, other: Interval | Period) -> bool:
        """True when some instant belongs to both; an empty interval has none."""
        return max(self.start, other.start) < min(self.end, other.end)


def parse_date(text: str) -> Period:
    """Read one date. Raises InvalidTime with what to write instead."""
    if not isinstance(text, str):
        raise InvalidTime(f"{text!r} is not a text; write a date such as '2021-05'")
    return _parse(text)


@lru_cache(maxsize=1 << 16)
def _parse(text: str) -> Period:
    match = _DATE.fullmatch(text)
    if match is None:
        raise InvalidTime(
            f"{text!r} is not an ISO 8601 date; "
            "write 2021, 2021-05, 2021-05-03 or 2021-05-03T10:00Z"
        )
    year = int(match["year"])
    if match["month"] is None:
        return Period(text, _seconds(year, 1, 1), _seconds(year + 1, 1, 1))
    month = int(match["month"])
    if not 1 <= month <= 12:
        raise InvalidTime(f"{text!r}: there is no month {month}")
    if match["day"] is None:
        following = (year + 1, 1) if month == 12 else (year, month + 1)
        return Period(text, _seconds(year, month, 1), _seconds(*following, 1))
    day = int(match["day"])
    if not 1 <= day <= _days_in_month(year, month):
        raise InvalidTime(f"{text!r}: that month has {_days_in_month(year, month)} days")
    start = _seconds(year, month, day)
    if match["hour"] is None:
        return Period(text, start, start + DAY)
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if hour > 23 or minute > 59 or second > 59:
        raise InvalidTime(f"{text!r}: the time of day runs from 00:00:00 to 23:59:59")
    start += hour * 3600 + minute * 60 + second - _zone_seconds(match["zone"], text)
    return Period(text, start, start + 1)


def parse_interval(valid_from: str | None, valid_to: str | None) -> Interval:
    """The interval between two dates; None is open. Raises InvalidTime when it holds no instant."""
    start = MIN_SECONDS if valid_from is None else parse_date(valid_from).start
    end = MAX_SECONDS if valid_to is None else parse_date(valid_to).start
    if start >= end:
        kind = "empty" if start == end else "inverted"
        raise InvalidTime(
            f"the interval from {valid_from} to {valid_to} is {kind}: valid_to is exclusive, "
            "so it must lie after valid_from"
        )
    return Interval(start, end)


def now_period() -> Period:
    """The current second, UTC: the default ``as_of``."""
    text = format_utc(datetime.now(UTC))
    return parse_date(text)


def format_utc(moment: datetime) -> str:
    """``2026-11-24T05:40:26Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _zone_seconds(zone: str | None, text: str) -> int:
    if zone is None or zone == "Z":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 14 or minutes > 59:
        raise InvalidTime(f"{text!r}: no time zone is {zone} from UTC")
    return (1 if zone[0] == "+" else -1) * (hours * 3600 + minutes * 60)


def _seconds(year: int, month: int, day: int) -> int:
    """Seconds since 1970 of a proleptic Gregorian date's first instant, any year.

    Counts from 1 March, so that the leap day is the last of its year (H. Hinnant,
    "chrono-Compatible Low-Level Date Algorithms", days_from_civil).
    """
    year -= month <= 2
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    era, year_of_era = divmod(year, 400)
    days = era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return (days - 719_468) * DAY


def _days_in_month(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31
