"""FlexAttention as a rival: the same selection as a block mask over all candidates' tokens.

It has to be compiled for each shape, which takes the most of a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from benchmarks.speed.op_rivals import TOKENS, Ask, selected


@cache
def _compiled(shape: tuple[int, ...], columns: int, threads: int) -> Callable[..., Any]:
    """One compiled function for each setting: torch gives up on one that is compiled too often."""
    torch.compiler.reset()
    return torch.compile(flex_attention, dynamic=False)


def flex(ask: Ask) -> Tensor:
    """Score, take the best, make the mask of their blocks, attend."""
    keys, values = ask.dense
    queries = ask.q.shape[2]
    # What torch 2.13 generates for a single query on a CPU does not compile: it is asked twice.
    q = ask.q.expand(-1, -1, 2, -1).contiguous() if queries == 1 else ask.q
    chosen = _chosen(ask).expand(-1, -1, q.shape[2], -1)
    mask = _block_mask(chosen, group=q.shape[1] // keys.shape[1])
    compiled = _compiled(tuple(q.shape), keys.shape[2], torch.get_num_threads())
    out: Tensor = compiled(q, keys, values, block_mask=mask, scale=ask.scale, enable_gqa=True)
    return out[:, :, :queries]


def _chosen(ask: Ask) -> Tensor:
    """Which candidates each query keeps, bool[1, KVH, Q, C]."""
    columns = selected(ask)
    chosen = torch.zeros(*columns.shape[:-1], ask.candidates.shape[1], dtype=torch.bool)
    return chosen.scatter_(-1, columns, True)


def _block_mask(chosen: Tensor, group: int) -> BlockMask:
    """A block of it is all queries times one candidate's tokens: it is there if any query keeps
    that candidate, and inside each query sees the tokens of its own.
    """

    def sees(b: Tensor, h: Tensor, q: Tensor, kv: Tensor) -> Tensor:
        return chosen[b, h // group, q, kv // TOKENS]

    _, _, queries, columns = chosen.shape
    used = chosen.any(2).repeat_interleave(group, 1)[:, :, None]  # [1, H, 1, C]
    return BlockMask.from_kv_blocks(
        used.sum(-1, dtype=torch.int32),
        used.int().argsort(dim=-1, descending=True, stable=True).to(torch.int32),
        BLOCK_SIZE=(queries, TOKENS),
        mask_mod=sees,
        seq_lengths=(queries, columns * TOKENS),
    )
