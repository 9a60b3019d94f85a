"""Exact search in numpy: what an index must return, in the fewest lines, and a fallback without
FAISS.
"""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from dysk.retrieval.coarse import Ids, checked


class ExactIndex:
    """A CoarseIndex that compares a query with every vector. Rows stay dense: the last fills a
    gap.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._row: dict[int, int] = {}
        self._ids: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._vectors: NDArray[np.float32] = np.zeros((0, dim), dtype=np.float32)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._row)

    def add(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """See CoarseIndex.add."""
        new, values = checked(ids, vectors, self.dim)
        with self._lock:
            known = [i for i in new.tolist() if i in self._row]
            if known:
                raise ValueError(f"ids {known[:5]} are in the index already; use replace")
            self._append(new, values)

    def replace(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """See CoarseIndex.replace."""
        new, values = checked(ids, vectors, self.dim)
        with self._lock:
            self._discard(new)
            self._append(new, values)

    def remove(self, ids: Ids) -> int:
        """See CoarseIndex.remove."""
        with self._lock:
            return self._discard(np.asarray(ids, dtype=np.int64))

    def search(
        self, queries: NDArray[np.float32], n: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """See CoarseIndex.search. Ties go to the vector that was added first."""
        with self._lock:
            size = len(self._row)
            scores = queries.astype(np.float32) @ self._vectors[:size].T  # [N, size]
            best = np.argsort(-scores, axis=1, kind="stable")[:, :n]
            found_ids = np.full((len(queries), n), -1, dtype=np.int64)
            found_scores = np.full((len(queries), n), -np.inf, dtype=np.float32)
            found_ids[:, : best.shape[1]] = self._ids[:size][best]
            found_scores[:, : best.shape[1]] = np.take_along_axis(scores, best, axis=1)
            return found_ids, found_scores

    def score(self, query: NDArray[np.float32], ids: Ids) -> NDArray[np.float32]:
        """See CoarseIndex.score."""
        with self._lock:
            rows = [
                (place, self._row[int(i)]) for place, i in enumerate(ids) if int(i) in self._row
            ]
            scores = np.full(len(ids), -np.inf, dtype=np.float32)
            if rows:
                places, present = zip(*rows, strict=True)
                scores[list(places)] = self._vectors[list(present)] @ query
            return scores

    def _append(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        size = len(self._row)
        if size + len(ids) > len(self._ids):
            room = max(64, 2 * (size + len(ids)))
            self._ids = np.resize(self._ids, room)
            grown = np.zeros((room, self.dim), dtype=np.float32)
            grown[:size] = self._vectors[:size]
            self._vectors = grown
        self._ids[size : size + len(ids)] = ids
        self._vectors[size : size + len(ids)] = vectors
        self._row.update((i, size + row) for row, i in enumerate(ids.tolist()))

    def _discard(self, ids: NDArray[np.int64]) -> int:
        removed = 0
        for i in ids.tolist():
            row = self._row.pop(i, None)
            if row is None:
                continue
            removed += 1
            last = len(self._row)
            if row != last:
                self._ids[row] = self._ids[last]
                self._vectors[row] = self._vectors[last]
                self._row[int(self._ids[row])] = row
            self._vectors[last] = 0  # an erased key leaves no bytes behind
        return removed
