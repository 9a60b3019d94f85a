"""When facts of one slot, (subject, relation), contradict one another: which holds when.

The rule: *a fact holds from its start until its stated end or the next fact's start, whichever
comes first.* It looks only at what was stated, never at the order of arrival, so late and
backfilled facts land where they belong. Four refinements:

- A statement of the same object is no contradiction: two sources may say the same thing.
- A pair contradicts only if the fact recorded later is exclusive (its relation is ``one``, or it
  was written with ``on_conflict="supersede"``). A coexisting fact closes nothing that was there.
- Of two that start together the later recorded wins whole; the other holds nowhere. What holds
  nowhere closes nothing.
- Retracted facts take no part.

Pure functions; both stores and the tests call them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from graph.fact import Fact, Status
from graph.interval import Interval, format_utc, parse_date, parse_interval


@dataclass(frozen=True, slots=True)
class _Claim:
    """A fact as stated, in seconds, with its place in the order of recording."""

    order: int
    fact: Fact
    stated: Interval

    def contradicts(self, other: _Claim) -> bool:
        later = self if self.order > other.order else other
        return self.fact.object != other.fact.object and later.fact.statement.exclusive


def settle(facts: Sequence[Fact]) -> list[Fact]:
    """The facts of one slot, in order of first recording, each as it holds beside the others.

    Sets ``valid_to``, ``status`` and ``superseded_by`` from the statements; the rest stays.
    """
    claims = [
        _Claim(order, fact, stated_interval(fact))
        for order, fact in enumerate(facts)
        if fact.status != "retracted"
    ]
    closers: dict[str, Fact] = {}
    by_start: defaultdict[int, list[_Claim]] = defaultdict(list)
    for claim in reversed(claims):
        peers = by_start[claim.stated.start]
        winner = next((peer for peer in peers if peer.contradicts(claim)), None)
        if winner is None:
            peers.append(claim)
        else:
            closers[claim.fact.id] = winner.fact
    standing = [claim for start in sorted(by_start) for claim in by_start[start]]
    for index, claim in enumerate(standing):
        closer = _next_contradiction(standing, index)
        if closer is not None:
            closers[claim.fact.id] = closer
    return [_beside(fact, closers.get(fact.id)) for fact in facts]


def rivals(fact: Fact, slot: Iterable[Fact]) -> list[Fact]:
    """Facts of the slot with another object that hold at some instant of ``fact``'s stated time."""
    stated = stated_interval(fact)
    return [
        other for other in slot if other.object != fact.object and other.interval.overlaps(stated)
    ]


def inferred_start(fact: Fact, slot: Iterable[Fact], now: datetime) -> str | None:
    """The start of an undated exclusive fact that the slot contradicts; None leaves it undated.

    "X is P" said without a date, where the slot already says otherwise, means *from now on*: it
    starts on today's UTC date, or at this second where something else started today. Without a
    contradiction that began by now it has always been so; an end that has passed makes it history.
    """
    text = format_utc(now)
    second, today = parse_date(text), parse_date(text[:10])
    if stated_interval(fact).end <= second.start:
        return None
    starts = [
        other.interval.start
        for other in slot
        if other.object != fact.object and other.status != "retracted"
    ]
    begun = [start for start in starts if start <= second.start]
    if not begun:
        return None
    return second.text if max(begun) > today.start else today.text


def as_stated(fact: Fact) -> Fact:
    """The fact as nothing had closed it."""
    status: Status = "ended" if fact.statement.ended else "active"
    return _with_end(fact, fact.statement.valid_to, status, None)


def stated_interval(fact: Fact) -> Interval:
    """The interval as stated, before any closing."""
    return parse_interval(fact.valid_from, fact.statement.valid_to)


def _next_contradiction(standing: Sequence[_Claim], index: int) -> Fact | None:
    claim = standing[index]
    for position in range(index + 1, len(standing)):
        other = standing[position]
        if other.stated.start >= claim.stated.end:
            return None
        if other.stated.start > claim.stated.start and claim.contradicts(other):
            return other.fact
    return None


def _beside(fact: Fact, closer: Fact | None) -> Fact:
    if fact.status == "retracted":
        return fact
    if closer is None:
        return as_stated(fact)
    return _with_end(fact, closer.valid_from, "superseded", closer.id)


def _with_end(fact: Fact, valid_to: str | None, status: Status, superseded_by: str | None) -> Fact:
    # Most facts of a long slot stay as they are, and making new ones is the cost of settling it.
    if (fact.valid_to, fact.status, fact.superseded_by) == (valid_to, status, superseded_by):
        return fact
    return replace(fact, valid_to=valid_to, status=status, superseded_by=superseded_by)
