"""What every CoarseIndex keeps. Subclass and set ``make``; pytest collects the inherited tests."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from dysk.retrieval.coarse import CoarseIndex

DIM = 16


def unit_vectors(count: int, seed: int = 0, dim: int = DIM) -> NDArray[np.float32]:
    """Random directions, float32 [count, dim]."""
    raw = np.random.default_rng(seed).standard_normal((count, dim))
    scaled: NDArray[np.float32] = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(
        np.float32
    )
    return scaled


class CoarseIndexContract:
    def make(self, dim: int = DIM) -> CoarseIndex:
        raise NotImplementedError

    def filled(self, count: int = 20) -> tuple[CoarseIndex, NDArray[np.float32]]:
        index, vectors = self.make(), unit_vectors(count)
        index.add(range(count), vectors)
        return index, vectors

    def test_an_empty_index_finds_only_padding(self) -> None:
        index = self.make()
        ids, scores = index.search(unit_vectors(2), 3)
        assert len(index) == 0
        assert ids.tolist() == [[-1] * 3] * 2
        assert np.isneginf(scores).all()

    def test_results_have_the_documented_types_and_shapes(self) -> None:
        index, vectors = self.filled()
        ids, scores = index.search(vectors[:4], 5)
        assert ids.dtype == np.int64
        assert ids.shape == scores.shape == (4, 5)
        assert scores.dtype == np.float32
        assert index.dim == DIM

    def test_a_vector_finds_itself_with_cosine_one(self) -> None:
        index, vectors = self.filled()
        ids, scores = index.search(vectors, 1)
        assert ids[:, 0].tolist() == list(range(20))
        np.testing.assert_allclose(scores[:, 0], 1, atol=1e-5)

    def test_results_are_the_largest_inner_products_best_first(self) -> None:
        index, vectors = self.filled()
        query = unit_vectors(1, seed=7)
        ids, scores = index.search(query, 20)
        products = vectors @ query[0]
        assert ids[0].tolist() == np.argsort(-products).tolist()
        np.testing.assert_allclose(scores[0], np.sort(products)[::-1], atol=1e-5)

    def test_asking_for_more_than_there_is_pads_with_minus_one(self) -> None:
        index, vectors = self.filled(3)
        ids, scores = index.search(vectors[:1], 5)
        assert sorted(ids[0, :3].tolist()) == [0, 1, 2]
        assert ids[0, 3:].tolist() == [-1, -1]
        assert np.isneginf(scores[0, 3:]).all()

    def test_no_queries_give_no_rows(self) -> None:
        index, _ = self.filled()
        ids, scores = index.search(np.zeros((0, DIM), dtype=np.float32), 4)
        assert ids.shape == scores.shape == (0, 4)

    def test_ids_may_be_any_numbers_that_fit_63_bits(self) -> None:
        index = self.make()
        wanted = [0, 7, 2**40, 2**62]
        index.add(wanted, unit_vectors(4))
        assert index.search(unit_vectors(4), 1)[0][:, 0].tolist() == wanted

    def test_adding_a_present_id_is_refused_and_changes_nothing(self) -> None:
        index, vectors = self.filled(5)
        with pytest.raises(ValueError, match="already"):
            index.add([9, 3], unit_vectors(2, seed=1))
        assert len(index) == 5
        assert index.search(vectors[3:4], 1)[0][0, 0] == 3

    @pytest.mark.parametrize("method", ["add", "replace"])
    def test_malformed_input_is_refused(self, method: str) -> None:
        change = getattr(self.make(), method)
        with pytest.raises(ValueError, match="twice"):
            change([1, 1], unit_vectors(2))
        with pytest.raises(ValueError, match="negative"):
            change([-1], unit_vectors(1))
        with pytest.raises(ValueError, match="need vectors"):
            change([1, 2], unit_vectors(1))
        with pytest.raises(ValueError, match="need vectors"):
            change([1], unit_vectors(1, dim=DIM + 1))

    @pytest.mark.parametrize("method", ["add", "replace"])
    def test_an_empty_change_is_allowed(self, method: str) -> None:
        index, _ = self.filled(3)
        getattr(index, method)([], np.zeros((0, DIM), dtype=np.float32))
        assert index.remove([]) == 0
        assert len(index) == 3

    def test_a_replaced_vector_is_found_where_it_is_now(self) -> None:
        index, vectors = self.filled()
        moved = unit_vectors(1, seed=3)
        index.replace([4], moved)
        assert len(index) == 20
        assert index.search(moved, 1)[0][0, 0] == 4
        assert index.search(vectors[4:5], 1)[1][0, 0] < 0.999

    def test_replacing_an_unknown_id_adds_it(self) -> None:
        index, _ = self.filled(3)
        fresh = unit_vectors(2, seed=4)
        index.replace([1, 50], fresh)
        assert len(index) == 4
        assert index.search(fresh, 1)[0][:, 0].tolist() == [1, 50]

    def test_removal_counts_only_what_was_there(self) -> None:
        index, vectors = self.filled(5)
        assert index.remove([1, 3, 99, 1]) == 2
        assert len(index) == 3
        assert set(index.search(vectors[:1], 5)[0][0].tolist()) == {0, 2, 4, -1}

    def test_an_index_that_lost_everything_takes_new_vectors(self) -> None:
        index, vectors = self.filled()
        assert index.remove(range(20)) == 20
        assert index.search(vectors[:1], 2)[0].tolist() == [[-1, -1]]
        index.add([2], vectors[2:3])
        assert index.search(vectors[2:3], 2)[0].tolist() == [[2, -1]]

    def test_chosen_ids_are_scored_in_the_order_asked(self) -> None:
        index, vectors = self.filled()
        query = unit_vectors(1, seed=7)[0]
        scores = index.score(query, [7, 99, 0])
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores[[0, 2]], vectors[[7, 0]] @ query, atol=1e-5)
        assert np.isneginf(scores[1])
        assert index.score(query, []).shape == (0,)
        assert np.isneginf(self.make().score(query, [3])).all()

    def test_the_index_keeps_its_own_copy_of_what_it_was_given(self) -> None:
        index, given = self.make(), unit_vectors(3)
        index.add(range(3), given)
        given[:] = 0
        assert index.search(unit_vectors(3), 1)[1].min() > 0.999

    def test_searches_during_changes_see_whole_states(self) -> None:
        """Ids 0–19 stay; 20–39 come and go together, so a search sees 20 or 40 entries, never
        else.
        """
        index, vectors = self.filled()
        extra, seen, done = unit_vectors(20, seed=5), set(), threading.Event()

        def write() -> None:
            for _ in range(50):
                index.add(range(20, 40), extra)
                index.remove(range(20, 40))
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        while not done.is_set():
            ids, _ = index.search(vectors[:1], 64)
            seen.add(int((ids >= 0).sum()))
        writer.join()
        assert seen <= {20, 40}
        assert len(index) == 20
