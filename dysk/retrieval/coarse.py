"""The coarse index: the slots nearest to a question, by cosine, under constant change.

Small graphs are searched exactly. Beyond ``EXACT_UP_TO`` slots the vectors move into inverted
lists with 8-bit codes (FAISS IVF-SQ8), whose hashtable direct map lets one slot be replaced in a
fraction of a millisecond.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Ids = Sequence[int] | NDArray[np.int64]

EXACT_UP_TO = 16_384
"""Slots up to which every vector is compared: 2 ms a query at 384 dimensions on one core."""
SCANNED = 65_536
"""Codes compared in a search beyond that, some 3 ms, however large the graph. A question lies far
from the keys that answer it, so the lists nearest to it hold only part of its neighbours: on 18,000
real keys, probing 6, 25 and 45 % of the lists found .81, .95 and .97 of the nearest 32."""
_REGROW = 4
_TRAIN_PER_LIST = 40
_TRAIN_ROUNDS = 10
_MOVE_AT_ONCE = 65_536


class CoarseIndex(Protocol):
    """Unit vectors under integer ids, searched by inner product. Every method is safe from any
    thread.
    """

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def __len__(self) -> int: ...

    def add(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """Add float32 [N, dim]. Raises ValueError, and adds nothing, for an id that is present or
        given twice.
        """
        ...

    def replace(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """Set the vectors of these ids, whether they are present or not. Raises ValueError for an
        id given twice.
        """
        ...

    def remove(self, ids: Ids) -> int:
        """Remove those of the ids that are present; how many they were."""
        ...

    def search(
        self, queries: NDArray[np.float32], n: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """(ids int64 [N, n], scores float32 [N, n]) for queries [N, dim], best first; −1 and −inf
        pad.
        """
        ...

    def score(self, query: NDArray[np.float32], ids: Ids) -> NDArray[np.float32]:
        """Inner products float32 [N] of one query [dim] with these ids; −inf for an absent one."""
        ...


class FaissIndex:
    """A CoarseIndex on FAISS: exact while small, inverted lists beyond ``exact_up_to``.

    The lists are trained anew each time the index has grown fourfold. Searches go on with the old
    lists meanwhile; other writers wait.
    """

    def __init__(self, dim: int, exact_up_to: int = EXACT_UP_TO, scanned: int = SCANNED) -> None:
        self.dim = dim
        self._exact_up_to = exact_up_to
        self._scanned = scanned
        self._ids: set[int] = set()
        self._index: Any = _flat(dim)
        self._rebuild_at = exact_up_to
        # FAISS does not allow a search during a change. Writers hold both locks to change, only
        # the first to train.
        self._writing = threading.Lock()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def is_exact(self) -> bool:
        """True while every vector is compared."""
        return self._rebuild_at == self._exact_up_to

    def add(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """See CoarseIndex.add."""
        new, values = checked(ids, vectors, self.dim)
        with self._writing:
            known = self._ids.intersection(new.tolist())
            if known:
                raise ValueError(f"ids {sorted(known)[:5]} are in the index already; use replace")
            with self._lock:
                self._append(new, values)
            self._rebuild_if_outgrown()

    def replace(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """See CoarseIndex.replace."""
        new, values = checked(ids, vectors, self.dim)
        with self._writing:
            with self._lock:
                self._discard(new)
                self._append(new, values)
            self._rebuild_if_outgrown()

    def remove(self, ids: Ids) -> int:
        """See CoarseIndex.remove."""
        with self._writing, self._lock:
            return self._discard(np.asarray(ids, dtype=np.int64))

    def search(
        self, queries: NDArray[np.float32], n: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """See CoarseIndex.search."""
        with self._lock:
            if not self.is_exact:
                lists = self._index.nlist
                share = self._scanned / max(1, len(self._ids))
                self._index.nprobe = min(lists, math.ceil(lists * share))
            scores, ids = self._index.search(np.ascontiguousarray(queries, dtype=np.float32), n)
        scores[ids < 0] = -np.inf
        return ids, scores

    def score(self, query: NDArray[np.float32], ids: Ids) -> NDArray[np.float32]:
        """See CoarseIndex.score."""
        with self._lock:
            present = np.array([int(i) in self._ids for i in ids], dtype=bool)
            scores = np.full(len(present), -np.inf, dtype=np.float32)
            scores[present] = self._read(np.asarray(ids, dtype=np.int64)[present]) @ query
        return scores

    def _append(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        if len(ids):
            self._index.add_with_ids(vectors, ids)
            self._ids.update(ids.tolist())

    def _discard(self, ids: NDArray[np.int64]) -> int:
        present = self._ids.intersection(ids.tolist())
        if present:
            self._index.remove_ids(np.fromiter(present, dtype=np.int64, count=len(present)))
            self._ids -= present
        return len(present)

    def _read(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = np.zeros((len(ids), self.dim), dtype=np.float32)
        for row, i in enumerate(ids.tolist()):
            self._index.reconstruct(i, found[row])
        return found

    def _rebuild_if_outgrown(self) -> None:
        if len(self._ids) <= self._rebuild_at:
            return
        ids = np.fromiter(self._ids, dtype=np.int64, count=len(self._ids))
        grown = _trained_lists(self.dim, len(ids), self._sample(ids))
        for begin in range(0, len(ids), _MOVE_AT_ONCE):
            part = ids[begin : begin + _MOVE_AT_ONCE]
            grown.add_with_ids(self._read(part), part)
        with self._lock:
            self._index = grown
            self._rebuild_at = _REGROW * len(ids)

    def _sample(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        size = min(len(ids), _TRAIN_PER_LIST * _lists_for(len(ids)))
        return self._read(np.random.default_rng(0).choice(ids, size, replace=False))


def checked(
    ids: Ids, vectors: NDArray[np.float32], dim: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(int64 [N], float32 [N, dim]) or ValueError: a wrong shape, a negative id, an id given
    twice.
    """
    new = np.asarray(ids, dtype=np.int64)
    values = np.ascontiguousarray(vectors, dtype=np.float32)
    if new.ndim != 1 or values.shape != (len(new), dim):
        raise ValueError(
            f"{len(new)} ids need vectors [{len(new)}, {dim}], not {list(values.shape)}"
        )
    if len(new) and new.min() < 0:
        raise ValueError("ids are not negative: −1 marks padding in a result")
    if len(np.unique(new)) < len(new):
        raise ValueError("an id is given twice")
    return new, values


def _flat(dim: int) -> Any:
    import faiss

    return faiss.IndexIDMap2(faiss.IndexFlatIP(dim))


def _lists_for(size: int) -> int:
    return int(2 * math.sqrt(size))


def _trained_lists(dim: int, size: int, sample: NDArray[np.float32]) -> Any:
    import faiss

    lists = _lists_for(size)
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dim),
        dim,
        lists,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
    )
    # Codes of the vectors themselves in a range twice as wide as the sample's: what another
    # domain brings later would fall outside a range fitted to residuals and be cut.
    index.by_residual = False
    index.sq.rangestat_arg = 0.5
    index.cp.niter = _TRAIN_ROUNDS
    index.cp.min_points_per_centroid = 1  # no warning on stderr about a small sample
    index.train(sample)
    index.set_direct_map_type(faiss.DirectMap.Hashtable)  # type: ignore[attr-defined]
    return index
