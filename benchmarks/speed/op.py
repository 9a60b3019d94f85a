"""The operator against its rivals, against the memory's own speed, and against itself on one core.

One process. Contenders take turns within a round, a few calls each, so that nobody's code is cold
for long, and ratios are between the calls of one round, so that a slow minute divides out. In
cache, the same call is made again and again; beyond it, each call reads other candidates of arenas
that no cache holds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import Literal

import torch

from benchmarks.schema import BenchmarkError
from benchmarks.speed.op_rivals import TOKENS, Arena, Ask, K, Shape, op
from benchmarks.speed.ttft import Spread, ratio, spread

SHAPES = (Shape(9, 3, 64), Shape(32, 8, 128))
QUERIES = (1, 32)
CANDIDATES = (64, 512, 4096)
Memory = Literal["cache", "beyond"]
MEMORIES: tuple[Memory, ...] = ("cache", "beyond")
Contender = Callable[[Ask], object]

_IN_CACHE_BLOCKS = 8192
_ASKS_BEYOND = 24
"""Different sets of candidates; together at least as large as the caches that they pass through."""
_READ_BYTES = 1 << 29
_TURN = 4
"""Calls of a contender in a round."""
_LEAST_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One setting on ``threads`` threads: times in microseconds and what they are worth.

    ``over_op`` is how many times the operator's time each rival takes. ``gb_per_s`` is what the
    operator must read, over its time; ``of_bandwidth`` divides that by the speed of summing a large
    tensor in the same rounds. Both are None where the caches hold what is read.
    """

    shape: str
    queries: int
    candidates: int
    memory: Memory
    threads: int
    rounds: int
    us: dict[str, Spread]
    over_op: dict[str, Spread]
    gb_per_s: Spread | None
    of_bandwidth: Spread | None


@dataclass(frozen=True, slots=True)
class Scaling:
    """The operator's time on one thread over its time on ``threads``."""

    shape: str
    queries: int
    candidates: int
    memory: Memory
    threads: int
    speedup: Spread


@dataclass(frozen=True, slots=True)
class OpSpeed:
    """All of it. ``overhead_us`` is a call that has nothing to read, on one thread."""

    k: int
    tokens: int
    arena_gb: float
    overhead_us: Spread
    rows: list[Row]
    scaling: list[Scaling]


def measure(
    contenders: Mapping[str, Contender],
    *,
    seconds: float,
    arena_gb: float,
    shapes: Sequence[Shape] = SHAPES,
    queries: Sequence[int] = QUERIES,
    candidates: Sequence[int] = CANDIDATES,
    threads: Sequence[int],
    progress: Callable[[], None] | None = None,
) -> OpSpeed:
    """Time each contender for about ``seconds`` at each setting. ``contenders`` includes "op"."""
    rows: list[Row] = []
    scaling: list[Scaling] = []
    with torch.inference_mode():
        overhead = _overhead()
        for shape, memory in product(shapes, MEMORIES):
            arena = _arena(shape, memory, arena_gb, max(candidates))
            for count, columns in product(queries, candidates):
                asks = _asks(arena, shape, count, columns, memory)
                for number in threads:
                    with using(number):
                        rows.append(
                            _row(contenders, asks, shape, count, columns, memory, number, seconds)
                        )
                    if progress:
                        progress()
                if max(threads) > 1:
                    scaling.append(_scaling(asks, shape, count, columns, memory, max(threads)))
    return OpSpeed(K, TOKENS, arena_gb, overhead, rows, scaling)


def settings(threads: Sequence[int]) -> int:
    """How many there are, by default."""
    return len(SHAPES) * len(MEMORIES) * len(QUERIES) * len(CANDIDATES) * len(threads)


@contextmanager
def using(threads: int) -> Iterator[None]:
    """Compute with so many threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def must_read(ask: Ask) -> int:
    """Bytes: each candidate's summary, id and bounds, and the tokens of the blocks selected."""
    arena = ask.arena
    kv_heads, dim = arena.summary.shape[1:]
    per_candidate = kv_heads * dim * arena.summary.element_size() + 8 + 8 + 4
    _, _, chosen = torch.ops.dysk.sparse_knowledge_attention(
        *(ask.q, arena.keys, arena.values, arena.summary, arena.start, arena.length),
        *(ask.candidates, None, K, ask.scale),
    )
    blocks = sum(chosen[0, head].unique().numel() for head in range(kv_heads))
    return int(ask.candidates.numel() * per_candidate + blocks * TOKENS * dim * 2 * 2)


def _arena(shape: Shape, memory: Memory, arena_gb: float, most_candidates: int) -> Arena:
    if memory == "cache":
        return Arena.of(shape, max(_IN_CACHE_BLOCKS, most_candidates))
    block = 2 * 2 * TOKENS * shape.kv_heads * shape.dim
    blocks = int(arena_gb * 2**30) // block
    if blocks < most_candidates:
        raise BenchmarkError(f"{arena_gb} GB hold {blocks} blocks: give the arenas more")
    return Arena.of(shape, blocks)


def _asks(arena: Arena, shape: Shape, queries: int, candidates: int, memory: Memory) -> list[Ask]:
    random = torch.Generator().manual_seed(0)
    q = torch.randn(1, shape.heads, queries, shape.dim, generator=random)
    blocks = arena.start.shape[0]

    def ask(dense_of: Ask | None = None) -> Ask:
        drawn = torch.randperm(blocks, generator=random)[None, :candidates]
        return Ask(arena, q, drawn, dense_of)

    first = ask()
    return [first, *(ask(first) for _ in range(_ASKS_BEYOND - 1) if memory == "beyond")]


def _row(
    contenders: Mapping[str, Contender],
    asks: list[Ask],
    shape: Shape,
    queries: int,
    candidates: int,
    memory: Memory,
    threads: int,
    seconds: float,
) -> Row:
    turns: dict[str, Contender] = dict(contenders)
    if memory == "beyond":
        everything = torch.ones(_READ_BYTES // 4)
        turns["read"] = lambda _: everything.sum()
    times = take_turns(turns, asks, seconds)
    of_op = times["op"]
    bytes_read = must_read(asks[0])
    bandwidth = times.pop("read", None)
    return Row(
        *(str(shape), queries, candidates, memory, threads, len(of_op)),
        us={name: spread([1e6 * t for t in taken]) for name, taken in times.items()},
        over_op={name: ratio(taken, of_op) for name, taken in times.items() if name != "op"},
        gb_per_s=None if bandwidth is None else spread([bytes_read / t / 1e9 for t in of_op]),
        of_bandwidth=None
        if bandwidth is None
        else ratio([bytes_read / t for t in of_op], [_READ_BYTES / t for t in bandwidth]),
    )


def take_turns(
    contenders: Mapping[str, Contender], asks: Sequence[Ask], seconds: float
) -> dict[str, list[float]]:
    """Seconds that each contender took in each round; a first round is not counted."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in contenders.values():
        contender(asks[0])
    end = time.perf_counter() + seconds
    number = 0
    while number < _LEAST_ROUNDS or time.perf_counter() < end:
        number += 1
        for name, contender in contenders.items():
            for turn in range(_TURN):
                ask = asks[(_TURN * number + turn) % len(asks)]
                began = time.perf_counter()
                contender(ask)
                times[name].append(time.perf_counter() - began)
    return times


def _scaling(
    asks: list[Ask], shape: Shape, queries: int, candidates: int, memory: Memory, threads: int
) -> Scaling:
    taken: dict[int, list[float]] = {1: [], threads: []}
    for number in range(30):
        for count, times in taken.items():
            with using(count):
                for turn in range(2):  # the first call after a change starts or stops threads
                    ask = asks[(2 * number + turn) % len(asks)]
                    began = time.perf_counter()
                    op(ask)
                    elapsed = time.perf_counter() - began
                times.append(elapsed)
    return Scaling(
        *(str(shape), queries, candidates, memory, threads), ratio(taken[1], taken[threads])
    )


def _overhead() -> Spread:
    """Microseconds of a call in which only padding is a candidate."""
    shape = SHAPES[0]
    arena = Arena.of(shape, 1)
    ask = Ask(arena, torch.randn(1, shape.heads, 1, shape.dim), torch.full((1, 1), -1))
    with using(1):
        op(ask)
        times = []
        for _ in range(50):
            began = time.perf_counter()
            for _ in range(100):
                op(ask)
            times.append((time.perf_counter() - began) / 100)
    return spread([1e6 * t for t in times])
