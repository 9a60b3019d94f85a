from __future__ import annotations

import numpy as np

from dysk.retrieval.coarse import CoarseIndex
from dysk.retrieval.exact import ExactIndex
from tests.contracts.coarse import DIM, CoarseIndexContract, unit_vectors


class TestExactIndex(CoarseIndexContract):
    def make(self, dim: int = DIM) -> CoarseIndex:
        return ExactIndex(dim)


def test_ties_go_to_the_vector_added_first() -> None:
    index, vector = ExactIndex(DIM), unit_vectors(1)
    index.add([5, 2, 9], np.repeat(vector, 3, axis=0))
    assert index.search(vector, 3)[0].tolist() == [[5, 2, 9]]


def test_removed_vectors_leave_no_bytes() -> None:
    index, vectors = ExactIndex(DIM), unit_vectors(5)
    index.add(range(5), vectors)
    index.remove([1, 4])
    held = index._vectors
    for gone in (1, 4):
        assert not (held == vectors[gone]).all(axis=1).any()
