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

A write at one instant of a slot can change only the facts that hold around it, so that is all that
``settle`` looks at, however long the slot is. Pure functions; planning calls them for every store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, groupby

from graph.fact import Fact, Status
from graph.interval import Interval, format_utc, parse_date, parse_interval
from graph.state import Entry


@dataclass(frozen=True, slots=True)
class _Claim:
    """A fact as stated, in seconds, with its place in the order of recording."""

    position: int
    fact: Fact
    stated: Interval

    def contradicts(self, other: _Claim) -> bool:
        later = self if self.position > other.position else other
        return self.fact.object != other.fact.object and later.fact.statement.exclusive


def settle(start: int, around: Sequence[Entry], following: Iterable[Entry]) -> list[Fact]:
    """The facts ``around`` an instant, each as it holds beside the others and those that follow.

    ``around`` are the facts of a slot that begin at ``start`` or hold up to it from before,
    ``following`` those that begin after it, earliest first, read only as far as needed; see State.
    When facts are written, corrected or taken away at ``start``, no others of the slot can change:
    what ended before ``start`` met its end there already, and what begins later can be closed only
    by what begins with it or later still. Sets ``valid_to``, ``status`` and ``superseded_by`` from
    the statements; the rest stays.
    """
    claims = list(_claims(around))
    standing, closers = _of_one_start([each for each in claims if each.stated.start == start])
    waiting = [each for each in claims if each.stated.start < start] + standing
    for group in chain([standing], _groups(following)):
        waiting = _close(waiting, group, closers)
        if not waiting:
            break
    return [_beside(entry.fact, closers.get(entry.fact.id)) for entry in around]


def rivals(fact: Fact, slot: Iterable[Fact]) -> list[Fact]:
    """Facts of the slot with another object that hold at some instant of ``fact``'s stated time."""
    stated = stated_interval(fact)
    return [
        other for other in slot if other.object != fact.object and other.interval.overlaps(stated)
    ]


def inferred_start(fact: Fact, begun: Iterable[Fact], now: datetime) -> str | None:
    """The start of an undated exclusive fact that the slot contradicts; None leaves it undated.

    ``begun`` are the facts of the slot that begin by ``now``, latest first. "X is P" said without a
    date, where the slot already says otherwise, means *from now on*: it starts on today's UTC date,
    or at this second where something else started today. Without a contradiction that began by now
    it has always been so; an end that has passed makes it history.
    """
    text = format_utc(now)
    second, today = parse_date(text), parse_date(text[:10])
    if stated_interval(fact).end <= second.start:
        return None
    for other in begun:
        if other.object != fact.object and other.status != "retracted":
            return second.text if other.interval.start > today.start else today.text
    return None


def as_stated(fact: Fact) -> Fact:
    """The fact as nothing had closed it."""
    status: Status = "ended" if fact.statement.ended else "active"
    return _with_end(fact, fact.statement.valid_to, status, None)


def stated_interval(fact: Fact) -> Interval:
    """The interval as stated, before any closing."""
    return parse_interval(fact.valid_from, fact.statement.valid_to)


def _claims(entries: Iterable[Entry]) -> Iterator[_Claim]:
    for entry in entries:
        if entry.fact.status != "retracted":
            yield _Claim(entry.position, entry.fact, stated_interval(entry.fact))


def _groups(following: Iterable[Entry]) -> Iterator[list[_Claim]]:
    """What stands of the facts that follow, start by start."""
    for _, group in groupby(_claims(following), key=lambda claim: claim.stated.start):
        yield _of_one_start(list(group))[0]


def _of_one_start(claims: list[_Claim]) -> tuple[list[_Claim], dict[str, Fact]]:
    """Of claims that start together, those that stand, and what closed each of the others."""
    standing: list[_Claim] = []
    closers: dict[str, Fact] = {}
    for claim in sorted(claims, key=lambda each: -each.position):
        winner = next((each for each in standing if each.contradicts(claim)), None)
        if winner is None:
            standing.append(claim)
        else:
            closers[claim.fact.id] = winner.fact
    return standing, closers


def _close(waiting: list[_Claim], group: list[_Claim], closers: dict[str, Fact]) -> list[_Claim]:
    """Note which claims meet a contradiction in a group of one start; the ones to look on for."""
    still = []
    for claim in waiting:
        if group and claim.stated.end <= group[0].stated.start:
            continue
        closer = next((each for each in group if _begins_against(each, claim)), None)
        if closer is None:
            still.append(claim)
        else:
            closers[claim.fact.id] = closer.fact
    return still


def _begins_against(later: _Claim, claim: _Claim) -> bool:
    return later.stated.start > claim.stated.start and later.contradicts(claim)


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
