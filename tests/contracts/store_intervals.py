"""Contract: every verb on every way in which the intervals of two facts can meet.

Two facts of one slot are recorded one after the other, then one of them is ended, corrected,
retracted or erased. What holds when is compared with the rule read off its words: *a fact holds
from its start until its stated end or the next fact's start, whichever comes first*.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import pytest

from graph import (
    Add,
    Cardinality,
    Command,
    Correct,
    End,
    Erase,
    FactStore,
    Relation,
    Retract,
    SetRelation,
    parse_date,
    parse_interval,
)
from tests.contracts.store_fixtures import KING, StoreFixtures

INTERVALS = (
    (None, None),
    (None, "1893"),
    ("1890", None),
    ("1890", "1893"),
    ("1890-01", "1896"),
    ("1891", "1892-06"),
    ("1893", "1896"),
    ("1893-05", None),
)
"""Open, overlapping, adjacent, nested, disjoint and equal to one another, in reduced dates."""

VERBS = ("nothing", "end", "begin earlier", "open the end", "same object", "retract", "erase")
_MONTHS = "1880-01 1889-01 1890-01 1891-06 1892-06 1893-01 1893-05 1895-01 2026-11 2026-12 2028-01"
PROBES = tuple(parse_date(f"{month}-01T00:00Z") for month in _MONTHS.split())
"""Single seconds, some of them the first of an interval or the first after one."""
NOW = "2026-11-24"
"""Where the clock of the contract stands."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was stated of a fact."""

    id: str
    object: str
    start: str | None
    end: str | None

    def holds_at(self, moment: int, others: list[Said], cardinality: Cardinality) -> bool:
        """Read off the rule, beside the other facts of the slot."""
        stated = parse_interval(self.start, self.end)
        if not stated.start <= moment < stated.end:
            return False
        for other in others:
            start = parse_interval(other.start, other.end).start
            closes = stated.start < start <= moment or (
                start == stated.start and other.id > self.id
            )
            if cardinality == "one" and other.object != self.object and closes:
                return False
        return True


@dataclass(frozen=True, slots=True)
class Case:
    """Two facts of a slot of their own, recorded in this order, and a verb for one of them."""

    number: int
    first: tuple[str | None, str | None]
    second: tuple[str | None, str | None]
    verb: str
    on_first: bool

    @property
    def subject(self) -> str:
        return f"{self.number} {self.first} {self.second} {self.verb} {self.on_first}"

    def add(self, place: int) -> Add:
        start, end = (self.first, self.second)[place]
        return Add(self.subject, KING, f"king {place}", start, end, id=f"{self.number}.{place}")

    def said(self, cardinality: Cardinality) -> list[Said]:
        """The two statements as recorded: an undated rival of what had begun is true from now."""
        first, second = (
            Said(f"{self.number}.{place}", f"king {place}", *dates)
            for place, dates in enumerate((self.first, self.second))
        )
        if cardinality == "one" and second.start is None and second.end is None:
            second = replace(second, start=NOW)
        return [first, second]

    def command_and_outcome(self, said: list[Said]) -> tuple[Command | None, list[Said]]:
        """The verb as a command, and the statements after it."""
        target, other = said if self.on_first else said[::-1]
        match self.verb:
            case "end":
                at = "1894" if parse_interval(target.start, None).start < _AT else "2027"
                return End(target.id, at), [replace(target, end=at), other]
            case "begin earlier":
                change = {"valid_from": "1889"}
                return Correct(target.id, change), [replace(target, start="1889"), other]
            case "open the end":
                return Correct(target.id, {"valid_to": None}), [replace(target, end=None), other]
            case "same object":
                change = {"object": other.object}
                return Correct(target.id, change), [replace(target, object=other.object), other]
            case "retract":
                return Retract(target.id), [other]
            case "erase":
                return Erase(target.id), [other]
        return None, said


_AT = parse_date("1894").start


def cases() -> Iterator[Case]:
    every = product(INTERVALS, INTERVALS, VERBS, (True, False))
    for number, (first, second, verb, on_first) in enumerate(every):
        yield Case(number, first, second, verb, on_first)


class IntervalsContract(StoreFixtures):
    @pytest.mark.parametrize("cardinality", ["one", "many"])
    def test_every_verb_on_every_meeting_of_two_intervals_keeps_the_rule(
        self, store: FactStore, cardinality: Cardinality
    ) -> None:
        everything = list(cases())
        store.apply([SetRelation(Relation(KING, cardinality))])
        store.apply([case.add(0) for case in everything])
        store.apply([case.add(1) for case in everything])
        said = {case: case.said(cardinality) for case in everything}
        self._check(store, cardinality, said)
        commands = []
        for case in everything:
            command, said[case] = case.command_and_outcome(said[case])
            commands += [command] if command else []
        store.apply(commands)
        self._check(store, cardinality, said)

    def _check(
        self, store: FactStore, cardinality: Cardinality, said: dict[Case, list[Said]]
    ) -> None:
        pairs = [(case.subject, KING) for case in said]
        with store.snapshot() as snapshot:
            for moment in PROBES:
                found = snapshot.slots(pairs, moment)
                for case, facts in said.items():
                    held = {fact.id for fact in found.get((case.subject, KING), ())}
                    expected = {
                        fact.id
                        for fact in facts
                        if fact.holds_at(
                            moment.start, [each for each in facts if each != fact], cardinality
                        )
                    }
                    assert held == expected, (case, moment.text)
