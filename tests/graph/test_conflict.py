"""The rule of supersession: what it says of whole slots, and that settling around one instant of a
slot comes to the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph import Fact, Statement, parse_date
from graph.conflict import as_stated, inferred_start, rivals, settle, stated_interval
from graph.state import Entry
from tests.graph.whole_slot import settle_whole

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
years = st.integers(2000, 2009)


def fact(
    id: str,
    object: str,
    start: str | None,
    end: str | None = None,
    *,
    exclusive: bool = True,
    ended: bool = False,
) -> Fact:
    statement = Statement(end, ended, exclusive)
    return as_stated(Fact(id, "s", "r", object, start, statement=statement))


@st.composite
def slots(draw: st.DrawFn, *, distinct: bool = False, exclusive: bool = False) -> list[Fact]:
    """Facts of one slot in order of recording."""
    starts = draw(st.lists(st.none() | years, max_size=6, unique=distinct))
    facts = []
    for number, start in enumerate(starts):
        end = draw(st.none() | st.integers((start or 2000) + 1, 2010))
        facts.append(
            fact(
                f"f{number}",
                draw(st.sampled_from("xyz")),
                None if start is None else str(start),
                None if end is None else str(end),
                exclusive=exclusive or draw(st.booleans()),
            )
        )
    return facts


def held(facts: list[Fact], year: int) -> set[str]:
    return {fact.id for fact in facts if fact.holds_in(parse_date(str(year)))}


@given(st.data())
def test_the_order_of_recording_does_not_matter_for_distinct_starts(data: st.DataObject) -> None:
    facts = data.draw(slots(distinct=True, exclusive=True))
    other = data.draw(st.permutations(facts))

    def effective(settled: list[Fact]) -> dict[str, tuple[object, ...]]:
        return {fact.id: (fact.valid_to, fact.status, fact.superseded_by) for fact in settled}

    assert effective(settle_whole(facts)) == effective(settle_whole(other))


@given(slots(distinct=True, exclusive=True))
def test_a_fact_holds_until_its_stated_end_or_the_next_other_start(facts: list[Fact]) -> None:
    settled = settle_whole(facts)
    for year in range(1999, 2012):
        expected = set()
        for each in facts:
            begun = each.valid_from is None or int(each.valid_from) <= year
            ended = each.valid_to is not None and int(each.valid_to) <= year
            replaced = any(
                other.object != each.object
                and (other.valid_from or "") > (each.valid_from or "")
                and int(other.valid_from or 0) <= year
                for other in facts
            )
            if begun and not ended and not replaced:
                expected.add(each.id)
        assert held(settled, year) == expected


def settle_at(facts: list[Fact], start: int) -> list[Fact]:
    """The slot with the facts around one instant settled; the others as they were."""
    entries = [Entry(place, each) for place, each in enumerate(facts)]
    around = [each for each in entries if each.begin <= start <= each.fact.interval.end]
    following = sorted((each for each in entries if each.begin > start), key=lambda e: e.begin)
    settled = settle(start, around, following)
    after = {each.position: each.fact for each in entries}
    after.update(zip((each.position for each in around), settled, strict=True))
    return [after[place] for place in range(len(facts))]


@given(slots(), st.data())
def test_settling_around_the_start_of_a_new_fact_settles_the_slot(
    facts: list[Fact], data: st.DataObject
) -> None:
    settled = settle_whole(facts)
    for new in data.draw(slots()):
        settled = [*settled, replace(new, id=f"n{len(settled)}")]
        settled = settle_at(settled, stated_interval(new).start)
        assert settled == settle_whole(settled)


@given(slots(), st.data())
def test_settling_around_what_was_taken_away_settles_the_slot(
    facts: list[Fact], data: st.DataObject
) -> None:
    settled = settle_whole(facts)
    while settled:
        gone = settled.pop(data.draw(st.integers(0, len(settled) - 1)))
        settled = settle_at(settled, gone.interval.start)
        assert settled == settle_whole(settled)


def test_settling_reads_on_only_to_the_first_contradiction() -> None:
    read = []

    def following() -> Iterator[Entry]:
        for place in range(1, 100):
            read.append(place)
            yield Entry(place, fact(f"f{place}", "y", str(2000 + place)))

    first = fact("f0", "x", "2000")
    assert settle(first.interval.start, [Entry(0, first)], following())[0].valid_to == "2001"
    # The second is read to see that no other starts with the first.
    assert len(read) == 2


@given(slots())
def test_settling_again_changes_nothing(facts: list[Fact]) -> None:
    settled = settle_whole(facts)
    assert settle_whole(settled) == settled


@given(slots())
def test_settling_only_shortens(facts: list[Fact]) -> None:
    for before, after in zip(facts, settle_whole(facts), strict=True):
        assert after.interval.start == before.interval.start
        assert after.interval.end <= before.interval.end
        assert (after.status == "superseded") == (after.interval != before.interval)


@given(slots())
def test_no_exclusive_fact_shares_an_instant_with_an_earlier_other(facts: list[Fact]) -> None:
    settled = settle_whole(facts)
    for place, later in enumerate(settled):
        for earlier in settled[:place]:
            if later.statement.exclusive and earlier.object != later.object:
                assert not earlier.interval.overlaps(later.interval)


@given(slots())
def test_retracted_facts_take_no_part(facts: list[Fact]) -> None:
    retracted = Fact("gone", "s", "r", "w", "2001", status="retracted")
    settled = settle_whole([*facts[:2], retracted, *facts[2:]])
    assert [each for each in settled if each.id != "gone"] == settle_whole(facts)
    assert retracted in settled


def test_what_holds_nowhere_closes_nothing() -> None:
    first = fact("f1", "x", "2000")
    loser = fact("f2", "y", "2005")
    winner = fact("f3", "x", "2005")
    settled = settle_whole([first, loser, winner])
    assert [each.status for each in settled] == ["active", "superseded", "active"]
    assert settled[1].superseded_by == "f3"


def test_a_loser_whose_winner_lost_holds_again() -> None:
    settled = settle_whole(
        [fact("f1", "x", "2005"), fact("f2", "y", "2005"), fact("f3", "x", "2005")]
    )
    assert [each.superseded_by for each in settled] == [None, "f3", None]


def test_of_two_undated_ones_the_later_recorded_holds() -> None:
    settled = settle_whole([fact("f1", "x", None), fact("f2", "y", None, "2005")])
    assert settled[0].superseded_by == "f2"
    assert not settled[0].holds_in(None)
    assert settled[1].holds_in(None)


def test_a_stated_end_brings_the_fact_before_not_back() -> None:
    settled = settle_whole([fact("f1", "x", "2000"), fact("f2", "y", "2005", "2007")])
    assert [held(settled, year) for year in (2004, 2006, 2008)] == [{"f1"}, {"f2"}, set()]


def test_as_stated_undoes_a_closing() -> None:
    facts = [fact("f1", "x", "2000", "2008", ended=True), fact("f2", "y", "2005")]
    assert as_stated(settle_whole(facts)[0]) == facts[0]
    assert facts[0].status == "ended"


def test_rivals_are_other_objects_that_hold_at_that_time() -> None:
    slot = [
        fact("f1", "x", "2000", "2003"),
        fact("f2", "y", "2003", "2005"),
        fact("f3", "z", "2009"),
        Fact("f4", "s", "r", "x", "2003", status="retracted"),
    ]
    assert rivals(fact("n", "y", "2002", "2009"), slot) == [slot[0]]


@pytest.mark.parametrize(
    ("slot", "expected"),
    [
        ([], None),
        ([fact("f", "n", "2000")], None),
        ([fact("f", "x", None)], "2026-11-24"),
        ([fact("f", "x", "2000", "2001")], "2026-11-24"),
        ([fact("f", "x", "2026-11-24")], "2026-11-24"),
        ([fact("f", "x", "2026-11-24T11:00Z")], "2026-11-24T12:00:00Z"),
        ([fact("f", "x", "2026-11-24T12:00:00Z")], "2026-11-24T12:00:00Z"),
        ([Fact("f", "s", "r", "x", "2000", status="retracted")], None),
    ],
)
def test_an_undated_fact_starts_when_it_is_said_if_something_else_had_begun(
    slot: list[Fact], expected: str | None
) -> None:
    assert inferred_start(fact("n", "n", None), slot, NOON) == expected


def test_an_undated_fact_that_is_over_is_history() -> None:
    slot = [fact("f", "x", "2000")]
    assert inferred_start(fact("n", "n", None, "2020"), slot, NOON) is None
    assert inferred_start(fact("n", "n", None, "2030"), slot, NOON) == "2026-11-24"
