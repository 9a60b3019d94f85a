from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.schema import BenchmarkError
from benchmarks.speed.ttft import Spread, Timed, measure, questions_from, ratio, spread, table
from graph.fact import Add
from graph.memory import MemoryStore
from tests.benchmarks.fake import FakeDysk


@pytest.fixture
def graph() -> Iterator[FakeDysk]:
    with MemoryStore() as store:
        store.apply(
            [Add(f"Land {n}", "capital", f"City {n}", valid_from=f"{1900 + n}") for n in range(10)]
        )
        yield FakeDysk(store)


def test_questions_are_drawn_from_facts_at_a_time_when_they_hold(graph: FakeDysk) -> None:
    drawn = questions_from(graph, 5, seed=1)
    assert drawn == questions_from(graph, 5, seed=1)
    assert len(set(drawn)) == 5
    known = {Timed(f"What is the capital of Land {n}?", f"{1900 + n}") for n in range(10)}
    assert set(drawn) <= known
    assert set(questions_from(graph, 99, seed=1)) == known


def test_an_empty_graph_has_nothing_to_ask() -> None:
    with MemoryStore() as store, pytest.raises(BenchmarkError, match="nothing to ask"):
        questions_from(FakeDysk(store), 5, seed=0)


def test_the_first_round_is_not_counted(graph: FakeDysk) -> None:
    steps: list[None] = []
    questions = questions_from(graph, 3, seed=0)
    result = measure(graph, questions, candidates=32, rounds=2, progress=lambda: steps.append(None))
    assert (result.questions, result.rounds, len(steps)) == (3, 2, 3)
    assert len(graph.asked) == 3 * (2 + 1) * 3


def test_modes_take_turns_within_a_round(graph: FakeDysk) -> None:
    measure(graph, [Timed("What is the capital of Land 3?", None)], candidates=32, rounds=1)
    assert [mode for mode, _, _ in graph.asked] == ["closed_book", "attention", "rag"] * 2


def test_decode_is_no_part_of_the_first_token(graph: FakeDysk) -> None:
    result = measure(graph, [Timed("Where is Land 3?", "1903")], candidates=32, rounds=3)
    assert result.modes["closed_book"].ttft_ms == Spread(10, 10, 10)
    assert result.modes["attention"].ttft_ms == Spread(12, 12, 12)
    assert result.modes["rag"].ttft_ms == Spread(11, 11, 11)
    assert result.modes["attention"].stages_ms == {"prefill": 12, "decode": 30, "total": 42}
    assert result.attention_over_closed_book == Spread(1.2, 1.2, 1.2)
    assert result.attention_over_rag == Spread(1.091, 1.091, 1.091)
    assert result.facts_in_prompt == 1
    assert result.modes["attention"].knowledge_tokens == 10
    assert result.modes["rag"].prompt_tokens == 30


@given(st.lists(st.floats(1, 1e6), min_size=1))
def test_a_spread_is_in_order_within_its_values(values: list[float]) -> None:
    found = spread(values)
    assert min(values) - 1e-3 <= found.p20 <= found.median <= found.p80 <= max(values) + 1e-3


@given(st.lists(st.floats(1, 1e6), min_size=1), st.floats(0.1, 10))
def test_a_slow_minute_divides_out_of_a_ratio(values: list[float], factor: float) -> None:
    found = ratio([value * factor for value in values], values)
    assert found.p20 == pytest.approx(factor, abs=1e-3)
    assert found.p80 == pytest.approx(factor, abs=1e-3)


def test_a_ratio_needs_pairs() -> None:
    with pytest.raises(ValueError, match="longer"):
        ratio([1.0, 2.0], [1.0, 2.0, 3.0])


def test_the_table_shows_each_mode_and_both_ratios(graph: FakeDysk) -> None:
    result = measure(graph, [Timed("Where is Land 3?", "1903")], candidates=32, rounds=1)
    lines = table(result).splitlines()
    assert "| attention | 12 [12, 12] | 20 | 10 |" in lines
    assert "attention / closed book: 1.20 [1.20, 1.20]" in lines
    assert "attention / RAG with 1 facts: 1.091 [1.091, 1.091]" in lines
