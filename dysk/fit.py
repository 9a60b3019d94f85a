"""How well the time of a fact fits the time that was asked about."""

from __future__ import annotations

from typing import NamedTuple

from graph.fact import Fact
from graph.interval import DAY, MAX_SECONDS, Interval, Period, parse_date

YEAR = 366 * DAY
"""The longest time by which an end can be vague, in seconds."""


class Fit(NamedTuple):
    """Greater is better; the first member that differs decides."""

    happened: bool
    """It began within the period: of several prizes or jobs the one of the year asked about."""
    covered: int
    """Seconds of the period that it may have held: of several office holders the longest."""
    certain: bool
    """It holds then by its dates, not only by what its last month or year leaves open."""
    dated: bool
    """Its start is known, which makes it the surer one when a past time is asked about."""


def fit(fact: Fact, as_of: Period, past: Period | None, *, happens: bool) -> Fit:
    """How a fact fits ``as_of``, or the ``past`` time that the question itself speaks of.

    ``happens`` for relations of which an entity may have many at once.
    """
    asked, vague = past or as_of, latest(fact)
    start, end = fact.interval.start, vague.end if past else fact.interval.end
    return Fit(
        happened=happens and asked.start <= start < asked.end,
        covered=max(0, min(end, asked.end) - max(start, asked.start)),
        certain=fact.interval.overlaps(as_of),
        dated=past is not None and fact.valid_from is not None,
    )


def latest(fact: Fact) -> Interval:
    """The longest that a fact may have held.

    "Until 2015" ends with the first instant of 2015, as all dates in the store do. Who says it may
    mean any day of that year, and an end in 2015-06 any day of that month.
    """
    interval = fact.interval
    if interval.end == MAX_SECONDS or fact.valid_to is None or interval.end <= interval.start:
        return interval
    end = parse_date(fact.valid_to)
    return Interval(interval.start, end.end if end.end - end.start > DAY else interval.end)


def widened(as_of: Period) -> Period:
    """``as_of`` and as much before it as the end of a fact that may hold in it can lie back."""
    return Period(as_of.text, as_of.start - YEAR, as_of.end)
