"""How the slots that a batch writes to settle: the rule of ``conflict`` over an overlay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from graph.conflict import settle, stated_interval
from graph.fact import Fact
from graph.interval import format_utc, parse_date
from graph.overlay import Overlay
from graph.state import Entry, Slot


def settle_slot(
    view: Overlay, slot: Slot, starts: set[int], stated: str | None = None
) -> tuple[str, ...]:
    """Let a slot's facts hold beside those that were written, changed or taken away at
    ``starts``; the ids newly closed, by the fact ``stated`` if one is given.
    """
    newly: dict[str, int] = {}
    # Earliest first: where a fact ends after one start decides if it is around the next.
    for start in sorted(starts):
        entries = view.around(slot, start)
        if _is_as_stated(entries) and next(view.following(slot, start), None) is None:
            continue
        settled = settle(start, entries, view.following(slot, start))
        closed = tuple(fact.id for fact in settled if fact.superseded_by == stated)
        for entry, fact in zip(entries, settled, strict=True):
            if fact.id == stated and entry.begin == start and fact.supersedes != closed:
                # What it closes ends where it begins, so all of that is around.
                fact = replace(fact, supersedes=closed)
            if fact == entry.fact:
                continue
            view.put(Entry(entry.position, fact), "supersede")
            closer = fact.superseded_by
            if closer not in (None, entry.fact.superseded_by) and stated in (None, closer):
                newly[fact.id] = entry.position
    return tuple(sorted(newly, key=newly.__getitem__))


def _is_as_stated(entries: Sequence[Entry]) -> bool:
    """True for the one fact that has nothing around it and holds as it was stated: the first of
    its slot, as most are.
    """
    if len(entries) != 1:
        return False
    fact = entries[0].fact
    return fact.status != "superseded" and not fact.supersedes


def beside(view: Overlay, fact: Fact) -> Iterator[Fact]:
    """The facts of its slot that hold around its start or begin before its stated end."""
    slot, stated = (fact.subject, fact.relation), stated_interval(fact)
    for entry in view.around(slot, stated.start):
        yield entry.fact
    for entry in view.following(slot, stated.start):
        if entry.begin >= stated.end:
            return
        yield entry.fact


def begun(view: Overlay, slot: Slot, moment: datetime) -> Iterator[Fact]:
    """The facts of a slot that begin by now, latest first."""
    now = parse_date(format_utc(moment))
    return (entry.fact for entry in view.preceding(slot, now.end))
