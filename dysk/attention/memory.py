"""The fact memory: per-layer keys and values of verbalized facts, encoded once by the frozen model
itself.

One fact is one *block*: a run of consecutive slots in an arena that all layers share. A block
depends on nothing but its sentence and the model, so it is addressed by its sentence: a fact that
changes gets another sentence and so another block, and nothing here can be stale. Blocks are made
on first use, in batches, kept under a byte budget with the least recently used going first, and
never moved or evicted while an ask reads them.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter, OrderedDict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType

import torch
from torch import Tensor

from dysk.errors import DyskError

BlockEncoder = Callable[[Sequence[str]], list[tuple[Tensor, Tensor]]]
"""Sentences -> for each, keys and values [L, T, KVH, D] with rotary positions applied."""


class MemoryBudgetExceeded(DyskError):
    """The blocks of one ask do not fit into the fact memory at once."""

    code = "memory_budget"


@dataclass(slots=True, eq=False)
class _Block:
    row: int
    start: int
    length: int
    pins: int = 0
    fact_ids: set[str] = field(default_factory=set)
    forgotten: bool = False


@dataclass(frozen=True, slots=True)
class MemoryStats:
    """Counters since the start: hits and misses of blocks, evictions; and what is held now."""

    blocks: int
    tokens: int
    bytes: int
    budget_bytes: int
    hits: int
    misses: int
    evictions: int


class Lease:
    """Blocks pinned for one ask. ``rows`` i64[n] names them to the op, in the order asked for."""

    def __init__(self, memory: FactMemory, pinned: Sequence[_Block], rows: list[int]) -> None:
        self._memory = memory
        self._pinned = list(pinned)
        self._thread = threading.get_ident()
        self.rows = torch.tensor(rows, dtype=torch.int64)

    def release(self) -> None:
        """Unpin. Safe to call twice."""
        pinned, self._pinned = self._pinned, []
        if pinned:
            self._memory.take_back(pinned, self._thread)

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class FactMemory:
    """Arenas ``keys``/``values`` [L, S, KVH, D] and the blocks in them.

    ``start`` i64[F], ``length`` i32[F] and ``summary`` [L, F, KVH, D] (the mean key of a block) are
    indexed by block row. S follows from ``budget_bytes``; memory is only touched as blocks arrive.
    Thread-safe; rows and slots of a leased block stay put until its lease is released.
    """

    def __init__(
        self,
        encode: BlockEncoder,
        *,
        layers: int,
        kv_heads: int,
        head_dim: int,
        budget_bytes: int = 512 << 20,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self._encode = encode
        self._token_bytes = 2 * layers * kv_heads * head_dim * dtype.itemsize
        slots = max(1, budget_bytes // self._token_bytes)
        rows = max(1, slots // 4)
        self.budget_bytes = budget_bytes
        self.keys = torch.empty(layers, slots, kv_heads, head_dim, dtype=dtype, device=device)
        self.values = torch.empty_like(self.keys)
        self.summary = torch.empty(layers, rows, kv_heads, head_dim, dtype=dtype, device=device)
        self.start = torch.zeros(rows, dtype=torch.int64, device=device)
        self.length = torch.zeros(rows, dtype=torch.int32, device=device)
        self._blocks: OrderedDict[str, _Block] = OrderedDict()
        self._free_rows = list(range(rows - 1, -1, -1))
        self._space = _FreeSpace(slots)
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)
        self._encoding = threading.Lock()
        self._holders: Counter[int] = Counter()  # leases of each thread
        self._hits = self._misses = self._evictions = 0

    def lease(self, facts: Sequence[tuple[str, str]]) -> Lease:
        """Pin the blocks of ``(fact id, sentence)`` pairs, encoding those that are missing in one
        batch.

        Who finds all of them waits for no encoding. Where other threads' leases leave no room, it
        is waited for. Raises MemoryBudgetExceeded when they cannot all be held at once.
        """
        fresh: dict[str, tuple[Tensor, Tensor]] = {}
        while True:
            fresh |= self._encoded(facts, fresh)
            with self._room:
                if not fresh.keys() >= set(self._missing(facts)):
                    continue  # evicted meanwhile
                try:
                    return self._pinned(facts, fresh)
                except MemoryBudgetExceeded:
                    # Who waits must not hold what another waits for.
                    if not self._holders or threading.get_ident() in self._holders:
                        raise
                    self._room.wait()

    def take_back(self, blocks: Sequence[_Block], thread: int) -> None:
        """Undo one pin of each; called by Lease.release."""
        with self._room:
            self._unpin(blocks)
            self._holders[thread] -= 1
            self._holders += Counter()  # drops zeros
            self._room.notify_all()

    def forget(self, fact_ids: Iterable[str]) -> int:
        """Zero and drop every block of these facts, as erasure asks; returns how many there were.

        A block that an ask reads at this moment is zeroed too: that answer may lose its evidence,
        not the promise.
        """
        gone = set(fact_ids)
        with self._lock:
            doomed = [text for text, block in self._blocks.items() if block.fact_ids & gone]
            for sentence in doomed:
                block = self._blocks.pop(sentence)
                self._blank(block)
                block.forgotten = True
                # Slots must not be reused while they are read: the last lease frees them.
                if block.pins == 0:
                    self._free(block)
            return len(doomed)

    @property
    def stats(self) -> MemoryStats:
        """Counters and sizes, consistent with each other."""
        with self._lock:
            tokens = sum(block.length for block in self._blocks.values())
            return MemoryStats(
                blocks=len(self._blocks),
                tokens=tokens,
                bytes=tokens * self._token_bytes,
                budget_bytes=self.budget_bytes,
                hits=self._hits,
                misses=self._misses,
                evictions=self._evictions,
            )

    def _missing(self, facts: Sequence[tuple[str, str]]) -> list[str]:
        return list(dict.fromkeys(text for _, text in facts if text not in self._blocks))

    def _encoded(
        self, facts: Sequence[tuple[str, str]], known: Container[str]
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """What is missing, by its sentence. What another thread encodes just now is waited for."""
        if not self._missing(facts):
            return {}
        with self._encoding:
            with self._lock:
                missing = [text for text in self._missing(facts) if text not in known]
            fresh = self._encode(missing) if missing else []
            return dict(zip(missing, fresh, strict=True))

    def _pinned(
        self, facts: Sequence[tuple[str, str]], fresh: Mapping[str, tuple[Tensor, Tensor]]
    ) -> Lease:
        pinned: list[_Block] = []
        try:
            missing = self._missing(facts)
            pinned += [self._pin(*fact) for fact in facts if fact[1] in self._blocks]
            for sentence in missing:
                self._store(sentence, *fresh[sentence])
                self._misses += 1
                pinned += [self._pin(*fact) for fact in facts if fact[1] == sentence]
        except BaseException:
            self._unpin(pinned)
            raise
        self._hits += len(facts) - len(missing)
        if pinned:
            self._holders[threading.get_ident()] += 1
        return Lease(self, pinned, [self._blocks[sentence].row for _, sentence in facts])

    def _unpin(self, blocks: Iterable[_Block]) -> None:
        for block in blocks:
            block.pins -= 1
            if block.forgotten and block.pins == 0:
                self._free(block)

    def _pin(self, fact_id: str, sentence: str) -> _Block:
        block = self._blocks[sentence]
        block.pins += 1
        block.fact_ids.add(fact_id)
        self._blocks.move_to_end(sentence)
        return block

    def _store(self, sentence: str, keys: Tensor, values: Tensor) -> None:
        length = keys.shape[1]
        start = self._space.take(length)
        while start is None or not self._free_rows:
            if start is not None:
                self._space.give(start, length)
            self._evict_one(length)
            start = self._space.take(length)
        row = self._free_rows.pop()
        self.keys[:, start : start + length] = keys
        self.values[:, start : start + length] = values
        self.summary[:, row] = keys.mean(1)
        self.start[row], self.length[row] = start, length
        self._blocks[sentence] = _Block(row, start, length)

    def _evict_one(self, wanted: int) -> None:
        for sentence, block in self._blocks.items():
            if block.pins == 0:
                del self._blocks[sentence]
                # Blank, so that a fact erased after its block was evicted leaves no trace.
                self._blank(block)
                self._free(block)
                self._evictions += 1
                return
        raise MemoryBudgetExceeded(
            f"the facts of this ask need more than the fact memory's {self.budget_bytes >> 20} MiB "
            f"(a block of {wanted} tokens found no place): lower candidates or raise the budget"
        )

    def _blank(self, block: _Block) -> None:
        span = slice(block.start, block.start + block.length)
        self.keys[:, span].zero_()
        self.values[:, span].zero_()
        self.summary[:, block.row].zero_()

    def _free(self, block: _Block) -> None:
        self._free_rows.append(block.row)
        self._space.give(block.start, block.length)


class _FreeSpace:
    """First-fit allocation of runs in ``[0, size)``; neighbouring free runs are joined."""

    def __init__(self, size: int) -> None:
        self._runs: list[tuple[int, int]] = [(0, size)]

    def take(self, length: int) -> int | None:
        for index, (start, end) in enumerate(self._runs):
            if end - start >= length:
                if end - start == length:
                    del self._runs[index]
                else:
                    self._runs[index] = (start + length, end)
                return start
        return None

    def give(self, start: int, length: int) -> None:
        end = start + length
        index = bisect_left(self._runs, (start, end))
        if index < len(self._runs) and self._runs[index][0] == end:
            end = self._runs.pop(index)[1]
        if index and self._runs[index - 1][1] == start:
            index -= 1
            start = self._runs.pop(index)[0]
        self._runs.insert(index, (start, end))
