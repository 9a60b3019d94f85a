"""The rule of supersession, read off its words over a whole slot: what settling is held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graph import Fact
from graph.conflict import as_stated, stated_interval


def settle_whole(facts: Sequence[Fact]) -> list[Fact]:
    """The facts of one slot, in order of first recording, each as it holds beside all others."""
    claims = [fact for fact in facts if fact.status != "retracted"]
    place = {fact.id: number for number, fact in enumerate(facts)}
    start = {fact.id: stated_interval(fact).start for fact in facts}
    end = {fact.id: stated_interval(fact).end for fact in facts}

    def contradict(one: Fact, other: Fact) -> bool:
        later = max(one, other, key=lambda fact: place[fact.id])
        return one.object != other.object and later.statement.exclusive

    closers: dict[str, Fact] = {}
    standing: list[Fact] = []
    for fact in reversed(claims):
        winners = [
            other
            for other in standing
            if start[other.id] == start[fact.id] and contradict(fact, other)
        ]
        if winners:
            closers[fact.id] = winners[0]
        else:
            standing.append(fact)
    for fact in standing:
        ahead = [
            other
            for other in standing
            if start[fact.id] < start[other.id] < end[fact.id] and contradict(fact, other)
        ]
        if ahead:
            closers[fact.id] = min(ahead, key=lambda other: (start[other.id], -place[other.id]))
    return [_closed(fact, closers.get(fact.id)) for fact in facts]


def _closed(fact: Fact, closer: Fact | None) -> Fact:
    if fact.status == "retracted":
        return fact
    if closer is None:
        return as_stated(fact)
    return replace(fact, valid_to=closer.valid_from, status="superseded", superseded_by=closer.id)
