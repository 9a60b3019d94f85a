"""Memories and questions to put to the op: small, ragged, with NaN between the blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from dysk.ops import block_mass, sparse_knowledge_attention

Result = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Case:
    """The op's arguments, by name."""

    q: Tensor
    k_arena: Tensor
    v_arena: Tensor
    summary: Tensor
    block_start: Tensor
    block_len: Tensor
    candidates: Tensor
    prior: Tensor | None
    k: int
    scale: float = 0.5
    temperature: float = 1.0

    @property
    def arguments(self) -> tuple[Any, ...]:
        return tuple(vars(self).values())

    def but(self, **changes: Any) -> Case:
        return replace(self, **changes)

    def run(self, check_indices: bool = True) -> Result:
        return sparse_knowledge_attention(**vars(self), check_indices=check_indices)

    def mass(self, selected: Tensor, lse: Tensor) -> Tensor:
        return block_mass(
            self.q,
            self.k_arena,
            self.block_start,
            self.block_len,
            self.candidates,
            self.prior,
            selected,
            lse,
            self.scale,
            self.temperature,
        )

    def in_type(self, query: torch.dtype, arena: torch.dtype | None = None) -> Case:
        """The same values rounded to these types."""
        arena = arena or query
        wide = torch.float64 if query == torch.float64 else torch.float32
        return self.but(
            q=self.q.to(query),
            k_arena=self.k_arena.to(arena),
            v_arena=self.v_arena.to(arena),
            summary=self.summary.to(arena),
            prior=None if self.prior is None else self.prior.to(wide),
        )


def make_case(
    seed: int = 0,
    *,
    batch: int = 2,
    kv_heads: int = 2,
    group: int = 2,
    queries: int = 3,
    dim: int = 4,
    lengths: tuple[int, ...] = (3, 1, 4, 2, 5, 2),
    columns: int = 5,
    k: int = 2,
    padding: float = 0.0,
    repeats: bool = False,
    prior: bool = True,
    temperature: float = 1.0,
    dtype: torch.dtype = torch.float64,
) -> Case:
    """Blocks of the given lengths, scattered over an arena whose unused slots hold NaN.

    ``padding`` is the share of candidates that become −1; ``repeats`` lets ids occur twice.
    """
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    count = len(lengths)
    block_len = torch.tensor(lengths, dtype=torch.int32)
    start, free = torch.zeros(count, dtype=torch.int64), 1
    for block in torch.randperm(count, generator=random).tolist():
        start[block] = free
        free += lengths[block] + 1
    k_arena, v_arena = (torch.full((free, kv_heads, dim), torch.nan).double() for _ in "kv")
    for first, length in zip(start.tolist(), lengths, strict=True):
        k_arena[first : first + length] = normal(length, kv_heads, dim)
        v_arena[first : first + length] = normal(length, kv_heads, dim)

    if count == 0:
        candidates = torch.full((batch, columns), -1)
    elif repeats:
        candidates = torch.randint(count, (batch, columns), generator=random)
    else:
        columns = min(columns, count)
        rows = [torch.randperm(count, generator=random)[:columns] for _ in range(batch)]
        candidates = torch.stack(rows) if rows else torch.zeros(0, columns, dtype=torch.int64)
    candidates[torch.rand(candidates.shape, generator=random) < padding] = -1
    case = Case(
        q=normal(batch, kv_heads * group, queries, dim),
        k_arena=k_arena,
        v_arena=v_arena,
        summary=normal(count, kv_heads, dim),
        block_start=start,
        block_len=block_len,
        candidates=candidates,
        prior=normal(*candidates.shape) if prior else None,
        k=k,
        temperature=temperature,
    )
    return case.in_type(dtype)


@st.composite
def cases(draw: st.DrawFn, dtype: torch.dtype = torch.float64) -> Case:
    """Every shape that the op takes, its empty corners included but not most of them."""
    fewest = draw(st.sampled_from([0, 4, 7]))
    return make_case(
        draw(st.integers(0, 10_000)),
        batch=draw(st.integers(0, 3)),
        kv_heads=draw(st.integers(1, 3)),
        group=draw(st.integers(1, 3)),
        queries=draw(st.integers(0, 3)),
        dim=draw(st.integers(1, 5)),
        lengths=tuple(draw(st.lists(st.integers(0, 4), min_size=fewest, max_size=9))),
        columns=draw(st.integers(0, 7)),
        k=draw(st.one_of(st.integers(1, 3), st.integers(0, 9))),
        padding=draw(st.sampled_from([0.0, 0.3, 1.0])),
        repeats=draw(st.booleans()),
        prior=draw(st.booleans()),
        temperature=draw(st.sampled_from([0.7, 1.0, 2.0])),
        dtype=dtype,
    )
