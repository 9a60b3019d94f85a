from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from numpy.typing import NDArray

from dysk.retrieval.coarse import CoarseIndex, FaissIndex
from dysk.retrieval.exact import ExactIndex
from tests.contracts.coarse import DIM, CoarseIndexContract, unit_vectors


class TestFaissIndex(CoarseIndexContract):
    def make(self, dim: int = DIM) -> CoarseIndex:
        return FaissIndex(dim)


class FaissAgainstExact(RuleBasedStateMachine):
    """While small, it gives what the numpy oracle gives, after any changes."""

    def __init__(self) -> None:
        super().__init__()
        self.faiss, self.exact = FaissIndex(DIM), ExactIndex(DIM)
        self.draws = 0

    def vectors(self, count: int) -> NDArray[np.float32]:
        self.draws += 1
        return unit_vectors(count, seed=self.draws)

    @rule(ids=st.sets(st.integers(0, 15)))
    def add(self, ids: set[int]) -> None:
        new = sorted(ids)
        vectors = self.vectors(len(new))
        try:
            self.exact.add(new, vectors)
        except ValueError:
            with pytest.raises(ValueError, match="already"):
                self.faiss.add(new, vectors)
        else:
            self.faiss.add(new, vectors)

    @rule(ids=st.sets(st.integers(0, 15)))
    def replace(self, ids: set[int]) -> None:
        vectors = self.vectors(len(ids))
        self.exact.replace(sorted(ids), vectors)
        self.faiss.replace(sorted(ids), vectors)

    @rule(ids=st.lists(st.integers(0, 20)))
    def remove(self, ids: list[int]) -> None:
        assert self.faiss.remove(ids) == self.exact.remove(ids)

    @rule(n=st.integers(1, 20))
    def search(self, n: int) -> None:
        queries = self.vectors(3)
        ids, scores = self.faiss.search(queries, n)
        right_ids, right_scores = self.exact.search(queries, n)
        np.testing.assert_allclose(scores, right_scores, atol=1e-5)
        # Random directions do not tie beyond rounding, so the order is settled wherever scores
        # differ.
        settled = np.ones_like(ids, dtype=bool)
        close = np.isclose(right_scores[:, 1:], right_scores[:, :-1], atol=1e-5)
        settled[:, 1:] &= ~close
        settled[:, :-1] &= ~close
        assert (ids[settled] == right_ids[settled]).all()

    @invariant()
    def sizes_agree(self) -> None:
        assert len(self.faiss) == len(self.exact)


FaissAgainstExact.TestCase.settings = settings(
    max_examples=40, stateful_step_count=20, deadline=None
)
TestFaissAgainstExact = FaissAgainstExact.TestCase


def clustered(count: int, clusters: int, seed: int = 0, dim: int = 64) -> NDArray[np.float32]:
    """Unit vectors around random centres, as names of one kind lie around one another."""
    draw = np.random.default_rng(seed)
    centres = unit_vectors(clusters, seed=99, dim=dim)
    raw = centres[draw.integers(0, clusters, count)]
    raw = raw + 0.6 / np.sqrt(dim) * draw.standard_normal((count, dim))
    scaled: NDArray[np.float32] = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(
        np.float32
    )
    return scaled


@pytest.fixture(scope="module")
def grown() -> tuple[FaissIndex, ExactIndex]:
    """4,000 vectors in inverted lists, half of them added after training, and the oracle.

    A search compares a quarter of them.
    """
    faiss_index, exact = FaissIndex(64, exact_up_to=1_999, scanned=1_000), ExactIndex(64)
    vectors = clustered(4_000, 40)
    for begin in (0, 2_000):
        ids = range(begin, begin + 2_000)
        faiss_index.add(ids, vectors[begin : begin + 2_000])
        exact.add(ids, vectors[begin : begin + 2_000])
        faiss_index.settle()
    return faiss_index, exact


def test_inverted_lists_start_beyond_the_threshold(grown: tuple[FaissIndex, ExactIndex]) -> None:
    small = FaissIndex(64, exact_up_to=100)
    small.add(range(100), clustered(100, 5))
    assert small.is_exact
    assert not grown[0].is_exact
    assert len(grown[0]) == 4_000


def test_inverted_lists_find_98_of_100_true_neighbours(
    grown: tuple[FaissIndex, ExactIndex],
) -> None:
    queries = clustered(200, 40, seed=5)
    found, _ = grown[0].search(queries, 32)
    right, _ = grown[1].search(queries, 32)
    recall = np.mean([len(set(a) & set(b)) / 32 for a, b in zip(found, right, strict=True)])
    assert recall >= 0.98


def test_queries_unlike_the_vectors_find_what_the_scan_allows() -> None:
    """Random directions have neighbours everywhere: only comparing everything finds them all."""
    vectors, queries = clustered(2_000, 20), unit_vectors(100, seed=3, dim=64)
    exact = ExactIndex(64)
    exact.add(range(2_000), vectors)
    right, _ = exact.search(queries, 32)
    recalls = []
    for scanned in (100, 500, 2_000):
        index = FaissIndex(64, exact_up_to=1_000, scanned=scanned)
        index.add(range(2_000), vectors)
        found, _ = index.search(queries, 32)
        recalls.append(
            np.mean([len(set(a) & set(b)) / 32 for a, b in zip(found, right, strict=True)])
        )
    assert recalls == sorted(recalls)
    assert recalls[-1] > 0.97


def test_scores_in_inverted_lists_are_cosines_to_two_places(
    grown: tuple[FaissIndex, ExactIndex],
) -> None:
    queries = clustered(50, 40, seed=6)
    ids, scores = grown[0].search(queries, 8)
    for row, query in enumerate(queries):
        np.testing.assert_allclose(scores[row], grown[1].score(query, ids[row]), atol=0.01)
        np.testing.assert_allclose(scores[row], grown[0].score(query, ids[row]), atol=1e-4)


def test_inverted_lists_take_replacements_and_removals() -> None:
    index = FaissIndex(64, exact_up_to=499)
    index.add(range(500), clustered(500, 10))
    moved = clustered(1, 10, seed=8)
    index.replace([7, 1_000], np.concatenate([moved, -moved]))
    assert index.search(moved, 1)[0][0, 0] == 7
    assert index.search(-moved, 1)[0][0, 0] == 1_000
    assert index.remove([7, 7, 12_345]) == 1
    assert 7 not in index.search(moved, 32)[0]
    assert index.remove(range(2_000)) == 500
    assert (index.search(moved, 4)[0] == -1).all()
    index.add([7], moved)
    assert index.search(moved, 1)[0][0, 0] == 7


@pytest.mark.parametrize("exact_up_to", [499, 5_000])
def test_a_state_without_some_ids_is_that_of_an_index_without_them(exact_up_to: int) -> None:
    index, vectors = FaissIndex(64, exact_up_to=exact_up_to), clustered(1_000, 10)
    index.add(range(1_000), vectors)
    index.settle()
    kept = np.arange(0, 1_000, 3)
    restored = FaissIndex(64, exact_up_to=exact_up_to)
    restored.restore(index.state().of(kept))
    index.remove(sorted(set(range(1_000)) - set(kept.tolist())))
    assert len(restored) == len(kept)
    queries = clustered(20, 10, seed=4)
    assert restored.search(queries, 8)[0].tolist() == index.search(queries, 8)[0].tolist()


def test_a_state_that_is_taken_during_changes_has_all_that_stays() -> None:
    index, vectors = FaissIndex(64, exact_up_to=499), clustered(3_000, 10)
    index.add(range(1_000), vectors[:1_000])
    index.settle()

    def change() -> None:
        for begin in range(1_000, 3_000, 50):
            index.add(range(begin, begin + 50), vectors[begin : begin + 50])

    changing = threading.Thread(target=change)
    changing.start()
    states = [index.state().of(np.arange(1_000)) for _ in range(20)]
    changing.join()
    index.settle()
    assert all(sorted(state.ids.tolist()) == list(range(1_000)) for state in states)
    assert all(state.sizes.sum() == 1_000 for state in states)


def test_growing_fourfold_trains_anew_and_loses_nothing() -> None:
    index = FaissIndex(64, exact_up_to=199)
    vectors = clustered(1_700, 20)
    for begin in range(0, 1_700, 100):
        index.add(range(begin, begin + 100), vectors[begin : begin + 100])
    ids, _ = index.search(vectors, 1)
    assert (ids[:, 0] == np.arange(1_700)).mean() > 0.97
    own = [index.score(vector, [i])[0] for i, vector in enumerate(vectors)]
    np.testing.assert_allclose(own, 1, atol=0.02)


def test_vectors_unlike_those_trained_on_keep_their_scores() -> None:
    index = FaissIndex(64, exact_up_to=999)
    index.add(range(1_000), clustered(1_000, 2))
    stranger = unit_vectors(200, seed=12, dim=64)
    index.add(range(1_000, 1_200), stranger)
    ids, scores = index.search(stranger, 1)
    assert (ids[:, 0] == np.arange(1_000, 1_200)).mean() > 0.98
    assert scores.min() > 0.97


def test_searches_go_on_while_the_lists_are_trained() -> None:
    index = FaissIndex(64, exact_up_to=999)
    vectors = clustered(3_000, 30)
    index.add(range(999), vectors[:999])
    writer = threading.Thread(target=index.add, args=(range(999, 3_000), vectors[999:]))
    writer.start()
    while writer.is_alive():
        ids, _ = index.search(vectors[:1], 1)
        assert ids[0, 0] == 0
    writer.join()
    assert len(index) == 3_000
