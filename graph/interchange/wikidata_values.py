"""The values of Wikidata's statements as words, and its dates as ours.

https://doc.wikimedia.org/Wikibase/master/php/docs_topics_json.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graph.errors import InvalidFact
from graph.interchange.calendars import day_of_julian, day_text, year_text
from graph.interval import DAY, parse_date

Part = str | dict[str, str]
"""A text, or ``{"id": "Q145"}`` for the name of what has that identifier."""

JULIAN = "Q1985786"
"""The calendar in which Wikidata writes many dates before 1582: as they were on the day."""

_TIME = re.compile(r"([+-])(\d{1,16})-(\d\d)-(\d\d)T\d\d:\d\d:\d\dZ")
_IDENTIFIER = re.compile(r"[QPL][1-9]\d{0,11}(-[FS][1-9]\d{0,5})?")
_SPANS = {8: 10, 7: 100, 6: 1_000}
"""Years of what is less precise than a year, by Wikidata's number for the precision."""
_MOST_YEARS = 9_999_000


@dataclass(frozen=True, slots=True)
class Time:
    """A time as known: from ``first`` up to ``following``, exclusive; both are ISO 8601 texts.

    ``exact`` tells that ``first`` alone denotes all of it.
    """

    first: str
    following: str
    exact: bool = True


def member(record: Mapping[str, Any], name: str, kind: type, default: Any = None) -> Any:
    """A member of a JSON object. Raises InvalidFact where it is missing or of another kind."""
    value = record.get(name, default)
    if not isinstance(value, kind):
        raise InvalidFact(f"{name} should be a {kind.__name__}, not a {type(value).__name__}")
    return value


def identifier(value: Any) -> str:
    """``Q145``, ``P6``, ``L7-F2``. Raises InvalidFact for what is none."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise InvalidFact(f"{_short(value)} is not an identifier such as Q145")
    return value


def value_of(snak: Mapping[str, Any]) -> list[Part]:
    """The value of a snak that has one, in parts to be joined. Raises InvalidFact."""
    data = member(snak, "datavalue", dict)
    kind = member(data, "type", str)
    if kind == "string":
        return [member(data, "value", str)]
    value = member(data, "value", dict)
    match kind:
        case "wikibase-entityid":
            return [{"id": identifier(value.get("id") or _from_number(value))}]
        case "monolingualtext":
            return [member(value, "text", str)]
        case "time":
            return [_words(time_of(snak))]
        case "quantity":
            amount = member(value, "amount", str).removeprefix("+")
            unit = member(value, "unit", str, "1").rpartition("/")[2]
            return [amount] if unit == "1" else [f"{amount} ", {"id": identifier(unit)}]
        case "globecoordinate":
            return [", ".join(_degrees(value, name) for name in ("latitude", "longitude"))]
    raise InvalidFact(f"values of the type {_short(kind)} have no words")


def time_of(snak: Mapping[str, Any]) -> Time:
    """The value of a snak that is a time, in the proleptic Gregorian calendar, as ISO 8601 has it.

    Wikidata has no year 0 and writes 44 BCE as -44; here that is -0043. Raises InvalidFact.
    """
    data = member(snak, "datavalue", dict)
    value = member(data, "value", dict)
    match = _TIME.fullmatch(member(value, "time", str))
    precision = member(value, "precision", int)
    if match is None:
        raise InvalidFact(f"{_short(value['time'])} is not a time such as +2024-07-05T00:00:00Z")
    sign, digits, month, day = match.groups()
    year = int(digits) if sign == "+" else 1 - int(digits)  # the year before 1 is 0
    if abs(year) > _MOST_YEARS or precision < min(_SPANS):
        raise InvalidFact(f"{match[0]}, known to precision {precision}, is beyond our calendar")
    if precision in _SPANS:
        # Decades are 1980 to 1989, centuries and millennia 1901 to 2000.
        span, shift = _SPANS[precision], 0 if precision == 8 else 1
        first = (year - shift) // span * span + shift
        return Time(year_text(first), year_text(first + span), exact=False)
    if precision == 9 or month == "00":
        return Time(year_text(year), year_text(year + 1))
    to_the_day = precision > 10 and day != "00"
    if member(value, "calendarmodel", str, "").endswith(JULIAN):
        return _julian(year, int(month), int(day) if to_the_day else None)
    text = f"{year_text(year)}-{month}-{day}" if to_the_day else f"{year_text(year)}-{month}"
    following = day_text(parse_date(text).end // DAY)
    return Time(text, following if to_the_day else following[:-3])


def _julian(year: int, month: int, day: int | None) -> Time:
    """A day, or a month: that is not one of ours, so it is told by days."""
    first = day_of_julian(year, month, day or 1)
    if day is not None:
        return Time(day_text(first), day_text(first + 1))
    after = day_of_julian(year + month // 12, month % 12 + 1, 1)
    return Time(day_text(first), day_text(after), exact=False)


def _words(time: Time) -> str:
    """A time as the object of a fact: its date where one says it, else both ends."""
    return time.first if time.exact else f"{time.first} to {time.following}"


def _degrees(value: Mapping[str, Any], name: str) -> str:
    degrees = value.get(name)
    if not isinstance(degrees, int | float) or not -360 <= degrees <= 360:
        raise InvalidFact(f"{name} should be a number of degrees")
    return str(degrees)


def _from_number(value: Mapping[str, Any]) -> str:
    """The identifier of old dumps, which have its kind and number apart."""
    letter = {"item": "Q", "property": "P"}.get(member(value, "entity-type", str))
    return f"{letter}{value.get('numeric-id')}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
