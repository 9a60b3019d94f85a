from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cli import BASELINE
from benchmarks.schema import BenchmarkError, read_questions
from benchmarks.smoke import (
    MOST_LOST,
    QUESTIONS,
    combined,
    fallen,
    ratios,
    read_baseline,
    write_baseline,
)
from benchmarks.speed.ttft import FirstToken, Spread
from graph.fact import Add
from graph.interchange import jsonl
from graph.memory import MemoryStore
from tests.benchmarks.fake import FakeDysk

WORLD = Path(__file__).parents[2] / "examples" / "world.jsonl"


def spread(median: float) -> Spread:
    return Spread(median, median, median)


def test_ratios_are_better_when_they_are_higher() -> None:
    speed = FirstToken(8, 8, 3, 8, {}, spread(2), spread(0.25))
    found = combined({"attention": 0.9, "rag1": 0.6}, speed)
    assert list(found.values()) == [0.9, 1.5, 0.5, 4]


def test_nothing_is_compared_with_a_rag_that_answers_nothing() -> None:
    speed = FirstToken(8, 8, 3, 8, {}, spread(2), spread(0.25))
    with pytest.raises(BenchmarkError, match="rag1 answered nothing"):
        combined({"attention": 0.9, "rag1": 0.0}, speed)


@given(st.floats(0.1, 10), st.floats(0, 2))
def test_a_ratio_falls_by_more_than_fifteen_percent_of_the_baseline_or_passes(
    before: float, share: float
) -> None:
    found = fallen({"x": before}, {"x": before * share})
    if abs(share - (1 - MOST_LOST)) > 1e-9:
        assert bool(found) == (share < 1 - MOST_LOST)


def test_a_ratio_that_is_gone_has_fallen_and_a_new_one_has_not() -> None:
    assert fallen({"x": 2.0}, {"y": 1.0}) == ["x: 0.000 where the baseline has 2.000"]


def test_a_baseline_is_kept_and_read_again(tmp_path: Path) -> None:
    write_baseline(tmp_path / "smoke.json", {"x": 1.5})
    assert read_baseline(tmp_path / "smoke.json") == {"x": 1.5}
    with pytest.raises(BenchmarkError, match="cannot write"):
        write_baseline(tmp_path, {})


@pytest.mark.parametrize("content", [None, "", "[]", '{"x": "y"}'])
def test_what_is_no_baseline_is_refused_with_how_to_make_one(
    tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "smoke.json").write_text(content)
    with pytest.raises(BenchmarkError, match="dysk bench smoke --write"):
        read_baseline(tmp_path / "smoke.json")


def test_accuracy_and_times_are_taken_from_the_graph() -> None:
    with MemoryStore() as store:
        for number in range(9):
            store.apply([Add(f"Land{number}", "capital", f"City{number}")])
        graph = FakeDysk(store)
        asked = read_questions(QUESTIONS)[:1]
        with pytest.raises(BenchmarkError, match="rag1 answered nothing"):
            ratios(graph, graph, graph, asked, store.revision)
        store.apply([Add("United Kingdom", "head of government", "Keir Starmer")])
        found = ratios(graph, graph, graph, asked, store.revision)
    assert list(found.values()) == [
        1,
        1,
        *(pytest.approx(each / 12, abs=1e-3) for each in (10, 11)),
    ]


def test_the_questions_ask_for_what_the_example_graph_holds_then() -> None:
    with MemoryStore() as store:
        with WORLD.open("rb") as lines:
            jsonl.load(store, lines)
        with store.snapshot() as snapshot:
            for question in read_questions(QUESTIONS):
                for fact_id in question.facts:
                    fact = snapshot.get(fact_id)
                    assert {fact.object, *snapshot.aliases(fact.object)} & set(question.answers)
                assert bool(question.facts) == (question.kind != "unanswerable")


def test_the_committed_baseline_can_be_read() -> None:
    assert all(value > 0 for value in read_baseline(BASELINE).values())
