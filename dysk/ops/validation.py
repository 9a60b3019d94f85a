"""What the op refuses, before any memory is touched.

Shapes, types and devices are looked at on every call, also while ``torch.compile`` traces. Values
are looked at where they exist: one pass over the candidates, whose cost does not grow with the
arena. The CPU kernel makes the same checks (csrc/operator.cpp) and leaves the words to this file.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dysk.ops.reference import arithmetic_dtype

FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def check_arguments(
    q: Tensor,
    k_arena: Tensor,
    v_arena: Tensor,
    summary: Tensor,
    block_start: Tensor,
    block_len: Tensor,
    candidates: Tensor,
    prior: Tensor | None,
    k: int,
    scale: float,
    temperature: float = 1.0,
) -> None:
    """Raise ValueError unless shapes, types and devices fit together."""
    _check_shapes(q, k_arena, v_arena, summary, block_start, block_len, candidates, prior)
    _check_types(q, k_arena, v_arena, summary, block_start, block_len, candidates, prior)
    if k < 0:
        raise ValueError(f"k is {k}; the number of blocks to select must be 0 or more")
    if not math.isfinite(scale):
        raise ValueError(f"scale is {scale}; pass a finite number, usually 1/sqrt(head dim)")
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature is {temperature}; pass a finite number above 0")


def _check_shapes(
    q: Tensor,
    k_arena: Tensor,
    v_arena: Tensor,
    summary: Tensor,
    block_start: Tensor,
    block_len: Tensor,
    candidates: Tensor,
    prior: Tensor | None,
) -> None:
    if q.dim() != 4:
        raise ValueError(f"q must be [B, H, Q, D], not {_shape(q)}")
    if k_arena.dim() != 3:
        raise ValueError(f"k_arena must be [S, KVH, D], not {_shape(k_arena)}")
    batch, heads, _, dim = q.shape
    kv_heads = k_arena.shape[1]
    if kv_heads == 0 or heads == 0 or heads % kv_heads:
        raise ValueError(f"q has {heads} heads and k_arena {kv_heads}; H must be a multiple of KVH")
    if k_arena.shape[2] != dim:
        raise ValueError(f"q has head dim {dim} but k_arena has {k_arena.shape[2]}")
    if v_arena.shape != k_arena.shape:
        raise ValueError(
            f"v_arena must be shaped as k_arena, {_shape(k_arena)}, not {_shape(v_arena)}"
        )
    if block_start.dim() != 1 or block_len.shape != block_start.shape:
        raise ValueError(
            "block_start and block_len must both be [F], "
            f"not {_shape(block_start)} and {_shape(block_len)}"
        )
    blocks = block_start.shape[0]
    if summary.dim() != 3 or summary.shape != (blocks, kv_heads, dim):
        raise ValueError(
            f"summary must be [F, KVH, D] = [{blocks}, {kv_heads}, {dim}], not {_shape(summary)}"
        )
    if candidates.dim() != 2 or candidates.shape[0] != batch:
        raise ValueError(f"candidates must be [B, C] with B = {batch}, not {_shape(candidates)}")
    if prior is not None and prior.shape != candidates.shape:
        raise ValueError(
            f"prior must be shaped as candidates, {_shape(candidates)}, not {_shape(prior)}"
        )


def _check_types(
    q: Tensor,
    k_arena: Tensor,
    v_arena: Tensor,
    summary: Tensor,
    block_start: Tensor,
    block_len: Tensor,
    candidates: Tensor,
    prior: Tensor | None,
) -> None:
    if q.dtype not in FLOATS:
        raise ValueError(f"q must be floating point, not {q.dtype}")
    if k_arena.dtype not in FLOATS:
        raise ValueError(f"k_arena must be floating point, not {k_arena.dtype}")
    if v_arena.dtype != k_arena.dtype or summary.dtype != k_arena.dtype:
        raise ValueError(
            "k_arena, v_arena and summary must have one type, "
            f"not {k_arena.dtype}, {v_arena.dtype} and {summary.dtype}"
        )
    if block_start.dtype != torch.int64 or candidates.dtype != torch.int64:
        raise ValueError(
            "block_start and candidates must be torch.int64, "
            f"not {block_start.dtype} and {candidates.dtype}"
        )
    if block_len.dtype != torch.int32:
        raise ValueError(f"block_len must be torch.int32, not {block_len.dtype}")
    if prior is not None and prior.dtype != arithmetic_dtype(q):
        raise ValueError(
            f"prior must be {arithmetic_dtype(q)} beside {q.dtype} queries, not {prior.dtype}"
        )
    for name, tensor in (
        ("k_arena", k_arena),
        ("v_arena", v_arena),
        ("summary", summary),
        ("block_start", block_start),
        ("block_len", block_len),
        ("candidates", candidates),
        ("prior", prior),
    ):
        if tensor is not None and tensor.device != q.device:
            raise ValueError(
                f"{name} is on {tensor.device} but q is on {q.device}; move one of them"
            )


def check_values(
    slots: int, block_start: Tensor, block_len: Tensor, candidates: Tensor, prior: Tensor | None
) -> None:
    """Raise unless every candidate names a block that lies in an arena of ``slots`` slots.

    IndexError for a candidate outside [−1, F) and for its block outside [0, S); ValueError for a
    prior that is NaN or +inf. Blocks that are no candidate are not looked at.
    """
    blocks = block_start.shape[0]
    if candidates.numel() == 0:
        return
    wild = (candidates < -1) | (candidates >= blocks)
    outside = torch.zeros_like(wild)
    if blocks:
        # Clamped, so that all three questions need one look at a result: each stops a GPU.
        block = candidates.clamp(0, blocks - 1)
        start, length = block_start[block], block_len[block]
        outside = ((start < 0) | (length < 0) | (start > slots - length)) & (candidates >= 0)
    endless = torch.zeros_like(wild) if prior is None else ~(prior < torch.inf)
    if not bool((wild | outside | endless).any()):
        return
    if bool(wild.any()):
        raise IndexError(
            f"candidate {int(candidates[wild][0])} names no block: there are {blocks} blocks, "
            "so candidates lie in [0, F), and -1 pads"
        )
    if bool(outside.any()):
        block = candidates[outside][0]
        raise IndexError(
            f"block {int(block)} starts at slot {int(block_start[block])} with length "
            f"{int(block_len[block])}, which does not lie in an arena of {slots} slots"
        )
    raise ValueError("prior holds NaN or +inf; a finite prior biases a block, -inf closes it")


def _shape(tensor: Tensor) -> list[int]:
    return list(tensor.shape)
