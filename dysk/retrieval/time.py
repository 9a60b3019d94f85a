"""The time that a question speaks of: "in 1999", "from 2005 to 2007", "before last March", "now".

A rule-based reader for English. It prefers to miss a date over inventing one: a number is a year
only where a preposition, a month, brackets or a second year say so, since "Blade Runner 2049" and
"Boeing 1000" are names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from dysk.retrieval.dates import (
    POINT,
    Point,
    day_after,
    day_before,
    day_of,
    last_day,
    read_point,
    span,
)
from graph.interval import Period, format_utc, parse_date

Kind = Literal["explicit", "relative", "none"]


@dataclass(frozen=True, slots=True)
class TimeInterpretation:
    """What was understood. ``as_of`` and ``text`` (the words of the question) are None for kind
    "none".

    explicit: a date is named · relative: counted from ``now`` · none: no time is spoken of.
    """

    as_of: Period | None
    text: str | None
    kind: Kind
    question_without_time: str


@dataclass(frozen=True, slots=True)
class _Reading:
    start: int
    end: int
    period: Period
    relative: bool
    rank: int


# Of several times the one of the highest rank governs a question. Last come those that describe
# somebody or something: "Who now leads the firm founded in 1950?"
_DESCRIPTION, _ADVERB, _POINT, _RANGE = 0, 1, 2, 3

_NOW_WORDS = r"(?:(?:the\s+)?present(?:\s+day)?|now|today)\b"
_BEFORE = r"before|prior\s+to|until|till|up\s+to|up\s+until"
_PREPOSITION = (
    rf"(?P<preposition>{_BEFORE}|after|ever\s+since|since|as\s+of|as\s+at|in|during|throughout"
    r"|within|over|for|around|circa|by|from|on|at)"
)
# "in fiscal year 2004" names a year as surely as "in 2004" does.
_YEAR_WORD = r"(?P<year_word>(?:the\s+)?(?:fiscal\s+|calendar\s+|financial\s+)?year\s+)?"
_LEFT = r"(?<![\w$€£#.,/-])"
_RIGHT = r"(?![\w%]|[-.,/:]\d)"
_RANGES = re.compile(
    rf"{_LEFT}(?:(?P<lead>from|between|in|during)\s+)?(?P<first>{POINT})"
    rf"(?:\s+(?P<link>to|until|till|through|and)\s+|(?P<dash>\s*[–—-]\s*))"
    rf"(?P<last>{POINT}|{_NOW_WORDS}){_RIGHT}",
    re.IGNORECASE,
)
_POINTS = re.compile(
    rf"{_LEFT}(?:{_PREPOSITION}\s+)?{_YEAR_WORD}(?P<point>{POINT}){_RIGHT}", re.IGNORECASE
)
_BRACKETED = re.compile(rf"\(\s*(?P<point>{POINT})\s*\)|,\s*(?P<tail>\d{{4}})(?=\s*\?*\s*$)")
_ADVERBS = re.compile(
    r"(?<!\w)(?:currently|presently|nowadays|right\s+now|these\s+days|as\s+of\s+(?:now|today)"
    r"|at\s+(?:present|the\s+moment|this\s+time)|now|today"
    r"|(?:the|its|their|his|her|['’]s)\s+(?P<current>current)(?=\s+\w))(?![\w'’-])",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|«[^»]*»")
# A number before one of these is an amount.
_AMOUNT = re.compile(
    r"\s+(?:BCE?|people|inhabitants|employees|members|votes|years?|days|hours|minutes|seconds|times"
    r"|points|pages|dollars|euros|pounds|yen|percent|kg|km|cm|mm|m|met(?:er|re)s|miles|feet|tons"
    r"|tonnes|watts|[km]w|m?hz|ghz)\b",
    re.IGNORECASE,
)
_BEGINS_WITH_PREPOSITION = re.compile(rf"(?:{_PREPOSITION}|between)\s", re.IGNORECASE)
# Verbs of beginning: with a time they tell which thing is meant, not when.
_DESCRIBES = re.compile(
    r"\b(?:born|built|completed|created|discovered|established|formed|founded|incorporated|invented"
    r"|launched|made|opened|published|released|started|written)\s*$",
    re.IGNORECASE,
)
_NAME_FOLLOWS = re.compile(r"\s+[A-Z]|:\s*\S")


def interpret(
    question: str, now: datetime, names: Sequence[tuple[int, int]] = ()
) -> TimeInterpretation:
    """Find the time expression that governs the question; ``now`` (UTC when naive) anchors
    relative ones.

    A range or a span covers both its ends; "before X" and "until X" mean the last day before X
    begins, "after X" the first day after it ends, "since X" everything from X up to now.

    ``names`` are stretches (start, end) of the question known to be names: a time that lies within
    one is part of it ("Who performed December, 1963?"), unless the name is only a number.
    """
    now = now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)
    # Titles in quotes are names, whatever stands in them; blanks of equal length keep positions.
    visible = _QUOTED.sub(lambda match: "x" * len(match[0]), question)
    readings = [
        *_read_ranges(visible, now),
        *_read_points(visible, now),
        *_read_adverbs(visible, now),
    ]
    titles = [(a, b) for a, b in names if not question[a:b].isdigit()]
    whole = [
        r
        for r in readings
        if not any(_contains(other, r) for other in readings)
        and not any(a <= r.start and r.end <= b for a, b in titles)
    ]
    if not whole:
        return TimeInterpretation(None, None, "none", question)
    best = max(whole, key=lambda r: (r.rank, _opens(question, r), r.start))
    text = question[best.start : best.end].strip(" ,()")
    rest = _without(question, best.start, best.end)
    return TimeInterpretation(best.period, text, "relative" if best.relative else "explicit", rest)


def _contains(outer: _Reading, inner: _Reading) -> bool:
    length, inner_length = outer.end - outer.start, inner.end - inner.start
    return outer.start <= inner.start and inner.end <= outer.end and inner_length < length


def _opens(question: str, reading: _Reading) -> bool:
    """Whether the time opens the question ("In 1999, who …"); of equals, that one governs."""
    return not question[: reading.start].strip() and not question[0].isdigit()


def _read_ranges(question: str, now: datetime) -> Iterator[_Reading]:
    for match in _RANGES.finditer(question):
        lead, link = (match["lead"] or "").lower(), (match["link"] or "").lower()
        if (link == "and") != (lead == "between") or _is_in_a_name(question, match.start()):
            continue
        last: Point | None
        if re.fullmatch(_NOW_WORDS, match["last"], re.IGNORECASE):
            last = Point(_moment(now), evident=False, relative=True)
        else:
            last = read_point(match["last"], now.date())
        if last is None:
            continue
        # Seen from the end of the range, a month without a year is the most recent one:
        # "March to June 2020", "November to February 2020".
        seen_from = now.date() if last.relative else last_day(last.period)
        first = read_point(match["first"], seen_from)
        if first is None or first.period.start > last.period.start:
            continue
        # Two bare years may end a title ("Works 1979–1983").
        bracketed = question[: match.start()].rstrip().endswith(("(", ","))
        if lead or first.evident or bracketed:
            period = span(first.period, last.period)
            yield _Reading(match.start(), match.end(), period, last.relative, _RANGE)


def _read_points(question: str, now: datetime) -> Iterator[_Reading]:
    for match in _POINTS.finditer(question):
        preposition = re.sub(r"\s+", " ", (match["preposition"] or "").lower())
        point = read_point(match["point"], now.date())
        if point is None or _is_in_a_name(question, match.start(), point):
            continue
        if point.evident or _is_year_here(question, match, preposition):
            period = _as_said(preposition, point.period, now)
            rank = _DESCRIPTION if _DESCRIBES.search(question[: match.start()]) else _POINT
            yield _Reading(match.start(), match.end(), period, point.relative, rank)
    for match in _BRACKETED.finditer(question):
        point = read_point(match["point"] or match["tail"], now.date())
        if point is not None and not point.relative:
            yield _Reading(match.start(), match.end(), point.period, False, _POINT)


def _is_in_a_name(question: str, start: int, point: Point | None = None) -> bool:
    """Whether a capital within the question says that a title begins here ("Till Next Year").

    The names of months are always capital, so only prepositions and relative words tell.
    """
    if not question[:start].strip() or not question[start].isupper():
        return False
    begins_with_preposition = _BEGINS_WITH_PREPOSITION.match(question, start) is not None
    return begins_with_preposition or (point is not None and point.relative and point.evident)


def _is_year_here(question: str, match: re.Match[str], preposition: str) -> bool:
    """Whether an expression that may be part of a name ("2049") is a date where it stands."""
    rest = question[match.end() :]
    if _AMOUNT.match(rest):
        return False
    if match["year_word"]:
        return True
    if preposition in ("", "for", "at") or (preposition == "on" and match["point"].isdigit()):
        return False
    begins_question = not question[: match.start()].strip()
    return begins_question or not _NAME_FOLLOWS.match(rest)


def _as_said(preposition: str, period: Period, now: datetime) -> Period:
    if re.fullmatch(_BEFORE, preposition):
        return day_before(period)
    if preposition == "after":
        return day_after(period)
    if preposition.endswith("since") and period.end <= now.timestamp():
        return span(period, _moment(now))
    return period


def _read_adverbs(question: str, now: datetime) -> Iterator[_Reading]:
    for match in _ADVERBS.finditer(question):
        word = match["current"] or match[0]
        start = match.start("current") if match["current"] else match.start()
        # "Apocalypse Now" and "USA Today" are names; "Today, who …" is not.
        if word[0].isupper() and question[:start].strip():
            continue
        period = day_of(now.date()) if word.lower() == "today" else _moment(now)
        yield _Reading(start, match.end(), period, True, _ADVERB)


def _moment(now: datetime) -> Period:
    return parse_date(format_utc(now))


def _without(question: str, start: int, end: int) -> str:
    """The question without its time words, with spaces, commas and the first capital put right."""
    before, after = question[:start].rstrip(), question[end:].lstrip()
    if after.startswith(",") and (not before or before.endswith(",")):
        after = after[1:].lstrip()
    elif before.endswith(",") and (not after or after[0] in "?.!"):
        before = before[:-1]
    joint = "" if not before or not after or after[0] in "?.!,;:)'’" else " "
    rest = re.sub(r"\s*\(\s*\)", "", f"{before}{joint}{after}")
    if not re.search(r"\w", rest):
        return question
    return rest[0].upper() + rest[1:] if not before else rest
