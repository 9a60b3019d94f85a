"""What the operator is timed against: the same facts, read in the ways that torch offers.

All get the arenas in bfloat16 and compute in float32. Dense attention and FlexAttention get the
tokens of all candidates gathered and widened beforehand, at no cost to them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

import dysk.ops

TOKENS = 16
"""Of a block."""
K = 8
"""Blocks that each query keeps."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Heads and head dim of a model."""

    heads: int
    kv_heads: int
    dim: int

    def __str__(self) -> str:
        return f"H{self.heads} KVH{self.kv_heads} D{self.dim}"


@dataclass(frozen=True)
class Arena:
    """Blocks of TOKENS tokens each, one behind the other."""

    keys: Tensor
    values: Tensor
    summary: Tensor
    start: Tensor
    length: Tensor

    @classmethod
    def of(cls, shape: Shape, blocks: int) -> Arena:
        """Random bfloat16 content, repeated every few megabytes: what it is costs no time."""
        keys, values = (_noise(blocks * TOKENS, shape) for _ in "kv")
        length = torch.full((blocks,), TOKENS, dtype=torch.int32)
        return cls(keys, values, _noise(blocks, shape), torch.arange(blocks) * TOKENS, length)


def _noise(rows: int, shape: Shape) -> Tensor:
    some = torch.randn(min(rows, 1 << 13), shape.kv_heads, shape.dim).to(torch.bfloat16)
    return some.repeat(-(-rows // some.shape[0]), 1, 1)[:rows]


@dataclass(frozen=True)
class Ask:
    """One row of queries f32[1, H, Q, D] and its candidates i64[1, C].

    ``dense_of`` is another with as many, whose dense tokens are used: which they are costs no
    time, and those of all would not fit into memory.
    """

    arena: Arena
    q: Tensor
    candidates: Tensor
    dense_of: Ask | None = None

    @property
    def scale(self) -> float:
        """D**−0.5."""
        return float(self.q.shape[-1] ** -0.5)

    @cached_property
    def dense(self) -> tuple[Tensor, Tensor]:
        """Keys and values of all candidates' tokens, f32[1, KVH, C · TOKENS, D], contiguous."""
        if self.dense_of is not None:
            return self.dense_of.dense
        slots = (self.arena.start[self.candidates[0], None] + torch.arange(TOKENS)).flatten()
        return tuple(  # type: ignore[return-value]
            arena[slots].float().transpose(0, 1)[None].contiguous()
            for arena in (self.arena.keys, self.arena.values)
        )

    @property
    def grouped(self) -> Tensor:
        """f32[1, KVH, G, Q, D]."""
        _, heads, queries, dim = self.q.shape
        kv_heads = self.arena.keys.shape[1]
        return self.q.view(1, kv_heads, heads // kv_heads, queries, dim)


def op(ask: Ask) -> Tensor:
    """What is measured, its checks of indices included."""
    arena = ask.arena
    out, _, _ = dysk.ops.sparse_knowledge_attention(
        *(ask.q, arena.keys, arena.values, arena.summary, arena.start, arena.length),
        *(ask.candidates, None, K, ask.scale),
    )
    return out


def reference(ask: Ask) -> Tensor:
    """The executable definition, dysk/ops/reference.py."""
    arena = ask.arena
    out: Tensor = torch.ops.dysk.sparse_knowledge_attention_reference(
        *(ask.q, arena.keys, arena.values, arena.summary, arena.start, arena.length),
        *(ask.candidates, None, K, ask.scale),
    )[0]
    return out


def selected(ask: Ask) -> Tensor:
    """Columns of the K best candidates of each query, i64[1, KVH, Q, K]."""
    summary = ask.arena.summary[ask.candidates[0]].float()  # [C, KVH, D]
    scores = torch.einsum("bhqd,chd->bhqc", ask.grouped.mean(2), summary)
    return scores.topk(K, sorted=False).indices


def gather_sdpa(ask: Ask) -> Tensor:
    """Score, take the best, gather their tokens, attend: a few lines of torch."""
    _, kv_heads, group, queries, dim = ask.grouped.shape
    blocks = ask.candidates[0][selected(ask)]
    slots = (ask.arena.start[blocks][..., None] + torch.arange(TOKENS)).view(kv_heads, queries, -1)
    heads = torch.arange(kv_heads)[:, None, None]
    keys, values = (x[slots, heads].float() for x in (ask.arena.keys, ask.arena.values))
    out = scaled_dot_product_attention(
        ask.grouped[0].transpose(1, 2), keys, values, scale=ask.scale
    )  # [KVH, Q, G, D]
    return out.transpose(1, 2).reshape(1, kv_heads * group, queries, dim)


def dense_sdpa(ask: Ask) -> Tensor:
    """Attend to all candidates; the queries of a group folded into one, so that it shares keys."""
    keys, values = ask.dense
    folded = ask.grouped.flatten(2, 3)  # [1, KVH, G · Q, D]
    out = scaled_dot_product_attention(folded, keys, values, scale=ask.scale)
    return out.view(ask.q.shape)


RIVALS: dict[str, Callable[[Ask], Tensor]] = {
    "op": op,
    "gather + SDPA": gather_sdpa,
    "dense SDPA": dense_sdpa,
    "reference": reference,
}
