"""The coarse index: the slots nearest to a question, by cosine, under constant change.

Small graphs are searched exactly. Beyond ``EXACT_UP_TO`` slots the vectors move into inverted
lists with 8-bit codes (FAISS IVF-SQ8), whose hashtable direct map lets one slot be replaced in a
fraction of a millisecond. The lists are trained by a thread of their own, and nobody waits for it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
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
_MOVED_AT_ONCE = 1_024


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


@dataclass(frozen=True, slots=True)
class IndexState:
    """What a FaissIndex is made of, to be written to disk.

    ``shell`` uint8: the trained index without vectors, as FAISS serialises it; empty while the
    index is exact. ``sizes`` int64 [lists] says how many of ``ids`` int64 [N] and of ``codes`` [N,
    …] each list has; codes are uint8, or while the index is exact float32 vectors in one list.
    """

    shell: NDArray[np.uint8]
    sizes: NDArray[np.int64]
    ids: NDArray[np.int64]
    codes: NDArray[Any]
    rebuild_at: int

    def of(self, ids: NDArray[np.int64]) -> IndexState:
        """The same without any vector but those of ``ids``."""
        kept = np.isin(self.ids, ids)
        if kept.all():
            return self
        lists = np.repeat(np.arange(len(self.sizes)), self.sizes)
        sizes = np.bincount(lists[kept], minlength=len(self.sizes))
        return replace(self, sizes=sizes, ids=self.ids[kept], codes=self.codes[kept])


class FaissIndex:
    """A CoarseIndex on FAISS: exact while small, inverted lists beyond ``exact_up_to``.

    The lists are trained anew each time the index has grown fourfold, in the background: searches
    and changes go to the old lists meanwhile, and what was changed is carried over before the new
    ones take their place. The lock is held for about a thousand vectors at a time.
    """

    def __init__(self, dim: int, exact_up_to: int = EXACT_UP_TO, scanned: int = SCANNED) -> None:
        self.dim = dim
        self._exact_up_to = exact_up_to
        self._scanned = scanned
        self._ids: set[int] = set()
        self._index: Any = _flat(dim)
        self._shell: NDArray[np.uint8] = np.zeros(0, dtype=np.uint8)
        self._rebuild_at = exact_up_to
        self._lock = threading.Lock()  # FAISS does not allow a search during a change
        self._rebuild: threading.Thread | None = None
        self._touched: set[int] = set()  # changed since the rebuild under way last looked

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def is_exact(self) -> bool:
        """True while every vector is compared."""
        return not len(self._shell)

    def add(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """See CoarseIndex.add."""
        new, values = checked(ids, vectors, self.dim)
        with self._lock:
            known = self._ids.intersection(new.tolist())
            if known:
                raise ValueError(f"ids {sorted(known)[:5]} are in the index already; use replace")
            self._append(new, values)
            self._rebuild_if_outgrown()

    def replace(self, ids: Ids, vectors: NDArray[np.float32]) -> None:
        """See CoarseIndex.replace."""
        new, values = checked(ids, vectors, self.dim)
        with self._lock:
            self._discard(new)
            self._append(new, values)
            self._rebuild_if_outgrown()

    def remove(self, ids: Ids) -> int:
        """See CoarseIndex.remove."""
        with self._lock:
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

    def settle(self) -> None:
        """Wait until no lists are being trained."""
        while (rebuild := self._rebuild) is not None:
            rebuild.join()

    def state(self) -> IndexState:
        """Copies of all parts. Searches and changes go on meanwhile, since no list takes long.

        What is added meanwhile may or may not be in it, and in the place of what is removed there
        may be an id of −1; ``IndexState.of`` is rid of both.
        """
        faiss = _faiss()
        with self._lock:  # a rebuild may put another index in its place, and then leaves this one
            index, shell, rebuild_at = self._index, self._shell, self._rebuild_at
            if not len(shell):
                ids = np.fromiter(self._ids, dtype=np.int64, count=len(self._ids))
                return IndexState(shell, np.array([len(ids)]), ids, self._read(ids), rebuild_at)
            lists = index.invlists
            sizes = [int(lists.list_size(number)) for number in range(index.nlist)]
        ids = np.full(sum(sizes), -1, dtype=np.int64)
        codes = np.zeros((len(ids), lists.code_size), dtype=np.uint8)
        for number, (size, end) in enumerate(zip(sizes, accumulate(sizes), strict=True)):
            with self._lock:
                left = min(size, int(lists.list_size(number)))
                if left:
                    part = slice(end - size, end - size + left)
                    ids[part] = faiss.rev_swig_ptr(lists.get_ids(number), left)
                    flat = faiss.rev_swig_ptr(lists.get_codes(number), left * lists.code_size)
                    codes[part] = flat.reshape(left, -1)
        return IndexState(shell, np.array(sizes), ids, codes, rebuild_at)

    def restore(self, state: IndexState) -> None:
        """Become what ``state`` says. Only for an index that is empty."""
        faiss = _faiss()
        if not len(state.shell):
            self.add(state.ids, state.codes)
            return
        index = faiss.deserialize_index(state.shell)
        index.set_direct_map_type(faiss.DirectMap.NoMap)
        for number, (size, end) in enumerate(zip(state.sizes, state.sizes.cumsum(), strict=True)):
            if size:
                ids = np.ascontiguousarray(state.ids[end - size : end])
                codes = np.ascontiguousarray(state.codes[end - size : end])
                index.invlists.add_entries(
                    number, int(size), faiss.swig_ptr(ids), faiss.swig_ptr(codes)
                )
        index.ntotal = len(state.ids)
        index.set_direct_map_type(faiss.DirectMap.Hashtable)
        with self._lock:
            self._index, self._shell, self._rebuild_at = index, state.shell, state.rebuild_at
            self._ids = set(state.ids.tolist())

    def _append(self, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        if len(ids):
            self._index.add_with_ids(vectors, ids)
            self._ids.update(ids.tolist())
            self._touch(ids)

    def _discard(self, ids: NDArray[np.int64]) -> int:
        present = self._ids.intersection(ids.tolist())
        if present:
            self._index.remove_ids(np.fromiter(present, dtype=np.int64, count=len(present)))
            self._ids -= present
            self._touch(ids)
        return len(present)

    def _touch(self, ids: NDArray[np.int64]) -> None:
        if self._rebuild is not None:
            self._touched.update(ids.tolist())

    def _read(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        if not len(ids):
            return np.zeros((0, self.dim), dtype=np.float32)
        found: NDArray[np.float32] = self._index.reconstruct_batch(ids)
        return found

    def _rebuild_if_outgrown(self) -> None:
        if len(self._ids) > self._rebuild_at and self._rebuild is None:
            self._rebuild = threading.Thread(
                target=self._train_anew, name="dysk-index", daemon=True
            )
            self._rebuild.start()

    def _train_anew(self) -> None:
        """The whole of a rebuild, in its own thread; once more if the index outgrew it already."""
        faiss = _faiss()
        faiss.omp_set_num_threads(1)  # of this thread: the other cores are for those who ask
        try:
            while True:
                with self._lock:
                    if len(self._ids) <= self._rebuild_at:
                        self._rebuild = None
                        return
                    ids = np.fromiter(self._ids, dtype=np.int64, count=len(self._ids))
                    self._touched = set()
                sample = np.random.default_rng(0).permutation(ids)[: _sample_size(len(ids))]
                drawn, vectors = self._read_in_parts(sample)
                if len(drawn) < _lists_for(len(ids)):
                    continue  # most were removed since
                grown = _trained_lists(self.dim, len(ids), vectors)
                shell = faiss.serialize_index(grown)
                self._carry(grown, ids)
                while len(self._touched) > _MOVED_AT_ONCE:
                    with self._lock:
                        touched, self._touched = self._touched, set()
                    self._carry(grown, np.array(sorted(touched), dtype=np.int64))
                with self._lock:
                    self._carry_part(grown, np.array(sorted(self._touched), dtype=np.int64))
                    self._index, self._shell = grown, shell
                    self._rebuild_at = _REGROW * len(ids)
        finally:
            with self._lock:
                if self._rebuild is threading.current_thread():
                    self._rebuild = None  # it failed: the next change begins another

    def _carry(self, grown: Any, ids: NDArray[np.int64]) -> None:
        """Make these ids in ``grown`` what they are in the index now."""
        for begin in range(0, len(ids), _MOVED_AT_ONCE):
            part = ids[begin : begin + _MOVED_AT_ONCE]
            grown.remove_ids(part)
            present, vectors = self._read_in_parts(part)
            grown.add_with_ids(vectors, present)

    def _carry_part(self, grown: Any, ids: NDArray[np.int64]) -> None:
        """The same for a few, with the lock held."""
        grown.remove_ids(ids)
        present = np.array([i for i in ids.tolist() if i in self._ids], dtype=np.int64)
        grown.add_with_ids(self._read(present), present)

    def _read_in_parts(
        self, ids: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Those of the ids that are present, and their vectors."""
        found, vectors = [], [np.zeros((0, self.dim), dtype=np.float32)]
        for begin in range(0, len(ids), _MOVED_AT_ONCE):
            with self._lock:
                part = [i for i in ids[begin : begin + _MOVED_AT_ONCE].tolist() if i in self._ids]
                found += part
                vectors.append(self._read(np.array(part, dtype=np.int64)))
        return np.array(found, dtype=np.int64), np.concatenate(vectors)


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


def _faiss() -> Any:
    """The library, loaded when an index is first used, and without types: its own are wrong."""
    import faiss

    return faiss


def _flat(dim: int) -> Any:
    faiss = _faiss()
    return faiss.IndexIDMap2(faiss.IndexFlatIP(dim))


def _lists_for(size: int) -> int:
    return int(2 * math.sqrt(size))


def _sample_size(size: int) -> int:
    return min(size, _TRAIN_PER_LIST * _lists_for(size))


def _trained_lists(dim: int, size: int, sample: NDArray[np.float32]) -> Any:
    faiss = _faiss()
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
    index.set_direct_map_type(faiss.DirectMap.Hashtable)
    return index
