"""Days in the Julian and the Gregorian calendar, counted from 1970-01-01 of the latter.

The arithmetic is H. Hinnant's ("chrono-Compatible Low-Level Date Algorithms"): years begin on
1 March, so that the leap day is the last of its year. ``datetime`` ends at year 1.
"""

from __future__ import annotations

from graph.errors import InvalidFact

_EPOCH = 719_468
"""Days from 1 March of the year 0 to 1970-01-01, both Gregorian."""


def day_of_julian(year: int, month: int, day: int) -> int:
    """The day that the Julian calendar calls so; years are astronomical. Raises InvalidFact."""
    leap = month == 2 and year % 4 == 0
    lengths = (31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not 1 <= month <= 12 or not 1 <= day <= lengths[month - 1]:
        raise InvalidFact(f"the Julian calendar has no day {day} of month {month} in year {year}")
    year -= month <= 2
    day_of_year = (153 * ((month - 3) % 12) + 2) // 5 + day - 1
    return year * 365 + year // 4 + day_of_year - _EPOCH - 2


def gregorian(day: int) -> tuple[int, int, int]:
    """Year, month and day of the proleptic Gregorian calendar."""
    era, day_of_era = divmod(day + _EPOCH, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    from_march = (5 * day_of_year + 2) // 153
    month = (from_march + 2) % 12 + 1
    year = era * 400 + year_of_era + (month <= 2)
    return year, month, day_of_year - (153 * from_march + 2) // 5 + 1


def year_text(year: int) -> str:
    """ISO 8601: four digits, more with a sign."""
    return f"{year:04}" if 0 <= year <= 9_999 else f"{year:+05}"


def day_text(day: int) -> str:
    """ISO 8601 of a day."""
    year, month, of_month = gregorian(day)
    return f"{year_text(year)}-{month:02}-{of_month:02}"
