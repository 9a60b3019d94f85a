"""Coarse retrieval: what may answer, valid then, as believed at one revision, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dysk.candidates import REACH, Candidate, read_query, read_time, retrieve
from dysk.retrieval.encoder import CachedEncoder, HashEncoder
from dysk.retrieval.exact import ExactIndex
from dysk.sync import Syncer
from graph import (
    Add,
    Correct,
    End,
    Erase,
    Fact,
    GraphError,
    MemoryStore,
    Period,
    Relation,
    Retract,
    SetRelation,
    Snapshot,
    now_period,
    parse_date,
)
from tests.contracts.clock import Clock
from tests.graph.strategies import DATES, OBJECTS, RELATIONS, SUBJECTS, batches

NOW = datetime(2026, 11, 24, tzinfo=UTC)
QUESTION = "Who is the king of Zembla?"


class Graph:
    """A store and its index."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.store = MemoryStore(clock) if clock else MemoryStore()
        self.encoder = CachedEncoder(HashEncoder(256))
        self.syncer = Syncer(self.store, self.encoder, index=ExactIndex(256))

    def add(self, subject: str, relation: str, object: str, *dates: str, **more: Any) -> str:
        valid_from, valid_to = (*dates, None, None)[:2]
        command = Add(subject, relation, object, valid_from=valid_from, valid_to=valid_to, **more)
        fact = self.store.apply([command]).items[0].fact
        assert fact is not None
        return fact.id

    def find(
        self,
        question: str = QUESTION,
        as_of: str | None = None,
        count: int = 8,
        *,
        snapshot: Snapshot | None = None,
        past: Period | None = None,
        reach: float = float("inf"),
    ) -> list[Candidate]:
        self.syncer.catch_up(self.store.revision)
        time = read_time(question, self.syncer, NOW)
        query = read_query(time.question_without_time, self.syncer, self.encoder)
        period = now_period() if as_of is None else parse_date(as_of)
        pinned = snapshot or self.store.snapshot()
        return retrieve(self.syncer, pinned, query, period, count, past=past, reach=reach)

    def objects(self, *arguments: Any, **options: Any) -> list[str]:
        return [candidate.fact.object for candidate in self.find(*arguments, **options)]


@pytest.fixture
def graph() -> Graph:
    return Graph()


# -- what is valid --------------------------------------------------------------------------------


def test_an_empty_graph_has_no_candidates(graph: Graph) -> None:
    assert graph.find() == []


def test_ended_superseded_retracted_erased_and_future_facts_are_no_candidates(
    graph: Graph,
) -> None:
    graph.store.apply([SetRelation(Relation("king", "one"))])
    graph.add("Zembla", "king", "Alfin", "1900")
    graph.add("Zembla", "king", "Charles", "1936")  # supersedes him
    graph.store.apply([End(graph.add("Zembla", "town", "Old Onhava", "1500"), "1800")])
    graph.store.apply([Retract(graph.add("Zembla", "town", "Nowhere"))])
    graph.store.apply([Erase(graph.add("Zembla", "town", "Secret"))])
    graph.add("Zembla", "town", "New Onhava", "2999")
    graph.add("Zembla", "town", "Onhava")
    assert set(graph.objects()) == {"Charles", "Onhava"}
    assert set(graph.objects(as_of="1700")) == {"Old Onhava", "Onhava"}
    assert set(graph.objects(as_of="1905")) == {"Alfin", "Onhava"}
    assert set(graph.objects(as_of="3000")) == {"Charles", "New Onhava", "Onhava"}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_candidates_are_the_facts_of_the_pinned_snapshot_that_hold_then(
    data: st.DataObject,
) -> None:
    """Whatever was written, at every revision and time: no more and no fewer."""
    graph = Graph()
    recorded: list[str] = []
    for _ in range(data.draw(st.integers(1, 6))):
        try:
            receipt = graph.store.apply(data.draw(batches(recorded)))
        except GraphError:
            continue
        recorded += [item.fact.id for item in receipt.items if item.fact]
    revision = data.draw(st.integers(0, graph.store.revision))
    date = data.draw(st.sampled_from(DATES))
    with graph.store.snapshot(revision=revision) as pinned:
        found = graph.find(f"{SUBJECTS[0]} {RELATIONS[0]}?", date, count=99, snapshot=pinned)
        held = list(pinned.facts(as_of=parse_date(date)))
    assert {_key(c.fact) for c in found} <= {_key(fact) for fact in held}
    # Facts that read alike are one candidate.
    assert {(*c.slot, c.fact.object) for c in found} == {
        (fact.subject, fact.relation, fact.object) for fact in held
    }
    assert {c.fact.object for c in found} <= set(OBJECTS)
    scores = [c.score for c in found]
    assert scores == sorted(scores, reverse=True)


def _key(fact: Fact) -> tuple[str, int]:
    return fact.id, fact.revision


def test_the_snapshot_decides_though_the_index_is_ahead_of_it(graph: Graph) -> None:
    fact_id = graph.add("Zembla", "king", "Odon")
    with graph.store.snapshot() as before:
        graph.store.apply([Correct(fact_id, {"object": "Charles"})])
        graph.add("Zembla", "town", "Onhava")
        assert graph.objects(snapshot=before) == ["Odon"]
        assert graph.objects() == ["Charles", "Onhava"]
        graph.store.apply([Correct(fact_id, {"subject": "Ruritania"})])
        assert graph.objects(snapshot=before) == ["Odon"]
        graph.store.apply([Erase(fact_id)])
        assert graph.objects(snapshot=before) == []  # erased at every revision


def test_known_at_finds_what_was_believed_then() -> None:
    clock = Clock()
    graph = Graph(clock)
    fact_id = graph.add("Zembla", "king", "Odon")
    clock.move(days=1)
    graph.store.apply([Correct(fact_id, {"object": "Charles"})])
    with graph.store.snapshot(known_at=parse_date("2026-11-24")) as then:
        assert graph.objects(snapshot=then) == ["Odon"]
    assert graph.objects() == ["Charles"]


# -- how many -------------------------------------------------------------------------------------


def test_slots_without_a_valid_fact_take_no_candidate_s_place(graph: Graph) -> None:
    """The search widens past 300 nearer slots whose facts have all ended."""
    for number in range(300):
        graph.add(f"Zembla {number}", "king", f"Former {number}", "1900", "1950")
    graph.add("Ruritania", "anthem", "Rudolf's March")
    assert graph.objects(count=2) == ["Rudolf's March"]
    assert len(graph.find(as_of="1920", count=5)) == 5


def test_count_is_kept_and_the_best_come_first(graph: Graph) -> None:
    for number in range(20):
        graph.add(f"Land {number}", "king", f"King {number}")
    graph.add("Zembla", "king", "Charles")
    for count in (1, 3, 21, 50):
        found = graph.objects(count=count)
        assert len(found) == min(count, 21)
        assert found[0] == "Charles"


def test_candidates_beyond_reach_of_the_best_are_left_out(graph: Graph) -> None:
    graph.add("Zembla", "king", "Charles")
    graph.add("Zembla", "queen", "Disa")
    graph.add("Borduria", "export of sulphur", "none")
    everything = graph.find()
    assert len(everything) == 3
    near = graph.find(reach=REACH)
    best = everything[0].score
    assert near == [c for c in everything if c.score >= best - REACH]
    assert 0 < len(near) < 3
    assert len(graph.find(reach=0.0)) == 1


@settings(max_examples=40, deadline=None)
@given(
    lands=st.lists(
        st.tuples(st.sampled_from(["Zembla", "Ruritania", "Borduria"]), st.integers(0, 40)),
        unique=True,
        max_size=30,
    ),
    ended=st.integers(1, 4),
    reach=st.sampled_from([0.0, 0.05, REACH, 0.5]),
)
def test_what_is_out_of_reach_is_left_out_and_nothing_else_changes(
    lands: list[tuple[str, int]], ended: int, reach: float
) -> None:
    graph = Graph()
    for place, (name, number) in enumerate(lands):
        past = () if place % ended else ("1900", "1950")
        graph.add(f"{name} {number}", "king", f"King {number}", *past)
    everything = graph.find(count=99)
    assert len(everything) == sum(1 for place in range(len(lands)) if place % ended)
    kept = [c for c in everything if c.score >= everything[0].score - reach]
    assert graph.find(count=99, reach=reach) == kept


def test_facts_that_read_alike_are_one_candidate(graph: Graph) -> None:
    graph.add("Zembla", "king", "Charles", source="a", on_conflict="coexist")
    graph.store.apply([Add("Zembla", "king", "Charles", "1936", source="b")])
    with graph.store.snapshot() as snapshot:
        assert snapshot.count() == 2
    (candidate,) = graph.find()
    assert candidate.text == "The king of Zembla is Charles."


def test_a_template_words_the_candidate(graph: Graph) -> None:
    wording = Relation("king", template="{object} reigns over {subject}.")
    graph.store.apply([SetRelation(wording)])
    graph.add("Zembla", "king", "Charles")
    (candidate,) = graph.find()
    assert candidate.text == "Charles reigns over Zembla."


def test_a_named_entity_outranks_one_that_is_spelled_nearly_so(graph: Graph) -> None:
    graph.add("Zemblan", "king", "wrong")
    graph.add("Zembla", "king", "Charles", aliases=("Land of Mirrors",))
    assert graph.objects()[0] == "Charles"
    assert graph.objects("Who is the king of the Land of Mirrors?")[0] == "Charles"


def test_a_date_inside_a_known_name_is_part_of_the_name(graph: Graph) -> None:
    graph.add("Election of 1999", "winner", "Odon")
    graph.syncer.catch_up(graph.store.revision)
    time = read_time("Who won the Election of 1999?", graph.syncer, NOW)
    assert time.kind == "none"
    time = read_time("Who was the winner in 1999?", graph.syncer, NOW)
    assert time.as_of == parse_date("1999")


def test_time_words_say_nothing_about_whom_is_meant(graph: Graph) -> None:
    graph.add("Zembla", "king", "Charles")
    graph.syncer.catch_up(graph.store.revision)
    time = read_time("Who was the king of Zembla in 1940?", graph.syncer, NOW)
    timed = read_query(time.question_without_time, graph.syncer, graph.encoder)
    plain = read_query("Who was the king of Zembla?", graph.syncer, graph.encoder)
    assert (timed.vector == plain.vector).all()


# -- which of one slot ----------------------------------------------------------------------------


def test_a_worse_fit_costs_a_step_and_two_at_most(graph: Graph) -> None:
    bounds = ["2000", "2000-07", "2000-10", "2000-12", "2001"]
    graph.store.apply([SetRelation(Relation("king", "one"))])
    for number, (valid_from, valid_to) in enumerate(pairwise(bounds)):
        graph.add("Zembla", "king", f"King {number}", valid_from, valid_to)
    found = graph.find(as_of="2000")
    assert found[0].fact.object == "King 0"
    lost = [round(found[0].score - c.score, 6) for c in found]
    assert lost == [0, 0.1, 0.2, 0.2]


# -- vague ends -----------------------------------------------------------------------------------


def past_objects(graph: Graph, as_of: str) -> list[str]:
    return [c.fact.object for c in graph.find(as_of=as_of, past=parse_date(as_of))]


def test_a_fact_that_ended_in_the_very_month_or_year_may_answer(graph: Graph) -> None:
    graph.add("Zembla", "king", "Charles", "1990", "2015")
    assert past_objects(graph, "2015-01") == ["Charles"]
    assert past_objects(graph, "2016") == []
    graph.add("Ruritania", "king", "Rudolf", "1990", "2015-01-10")
    assert past_objects(graph, "2015-02") == ["Charles"]


def test_without_a_past_time_an_end_is_its_first_instant(graph: Graph) -> None:
    graph.add("Zembla", "king", "Charles", "1990", "2015")
    assert graph.objects(as_of="2015-01") == []


def test_a_fact_that_surely_holds_comes_before_one_that_may(graph: Graph) -> None:
    graph.store.apply([SetRelation(Relation("king", "one"))])
    graph.add("Zembla", "king", "Charles", "1990")
    graph.add("Zembla", "king", "Otto", "2015")
    assert past_objects(graph, "2015-03")[0] == "Otto"
