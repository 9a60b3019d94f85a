"""Running the Triton kernels: grids, tiles, and the table from which attention picks its own.

This module imports triton; ``dysk.ops.triton_loading`` imports it where there is a GPU.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor

from dysk.ops.triton_kernels import attend_kernel, eligible_kernel, score_kernel, select_kernel

TABLE = [
    triton.Config({"BLOCKS": 4, "TOKENS": 16}, num_warps=4, num_stages=2),
    triton.Config({"BLOCKS": 2, "TOKENS": 16}, num_warps=2, num_stages=3),
    triton.Config({"BLOCKS": 8, "TOKENS": 16}, num_warps=8, num_stages=2),
    triton.Config({"BLOCKS": 2, "TOKENS": 32}, num_warps=4, num_stages=2),
    triton.Config({"BLOCKS": 1, "TOKENS": 64}, num_warps=4, num_stages=2),
]
"""How many blocks attention reads at once, and how many tokens of each; a fact has about 16. The
fastest for the shapes and types at hand is found by trying all of them, at their first call.
"""

ELIGIBLE_TILE = 64
SCORE_TILE = {"QUERIES": 16, "COLUMNS": 32}
SELECT_TILE = 1024
ROWS_AT_MOST = {True: 32, False: 16}
"""Query heads × query tokens that a program serves where all tokens read the same blocks, with
16-bit products and without. With twice as many the registers overflow.
"""

PRECISION = {True: "tf32x3", False: "ieee"}
"""How float32 is multiplied beside an arena of 16 bits, and of more. Values of 16 bits are exact in
TF32, so that three products lose hardly a digit; a plain product would overflow the registers.
"""

SCORES_AT_MOST = 16 << 20
"""Scores held at once, 64 MB: a long prompt is selected for in parts."""

attend = triton.autotune(TABLE, key=["HAS_PRIOR", "NARROW", "GROUP", "DIM", "QUERIES"])(
    attend_kernel
)


def sparse_knowledge_attention(
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
    temperature: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Select the k best candidate blocks of each query and attend to their tokens.

    Arguments are those of ``dysk.ops.sparse_knowledge_attention``, already validated, with queries
    of float32, bfloat16 or float16. Arenas may be float64, but the arithmetic is float32.
    """
    batch, heads, queries, dim = q.shape
    kv_heads, columns = k_arena.shape[1], candidates.shape[1]
    q = q if q.stride(-1) == 1 else q.contiguous()
    candidates = candidates.contiguous()
    prior = None if prior is None else prior.contiguous()
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    lse = q.new_empty((batch, heads, queries), dtype=torch.float32)
    selected = candidates.new_empty((batch, kv_heads, queries, k))
    bias = None if prior is None else prior.new_empty(selected.shape)
    if lse.numel() == 0:
        return out, lse, selected

    # Multiplying and adding in one step is triton's default, but no longer from 3.10 on.
    common = {"HAS_PRIOR": prior is not None, "enable_fp_fusion": True}
    shape = {"GROUP": heads // kv_heads, "DIM": dim, "DIM_TILE": _tile(dim)}
    scale = scale / temperature
    with torch.cuda.device_of(q):  # type: ignore[no-untyped-call]
        eligible = torch.empty_like(candidates)
        grid: Any = (batch, triton.cdiv(columns, ELIGIBLE_TILE))
        if columns:
            eligible_kernel[grid](
                candidates, prior, eligible, columns, TILE=ELIGIBLE_TILE, **common
            )
        _select(q, summary, eligible, prior, selected, bias, scale, common, shape)
        narrow = q.dtype == k_arena.dtype and q.dtype.itemsize == 2
        together = min(queries, max(1, ROWS_AT_MOST[narrow] // shape["GROUP"]))
        read_together = together if k >= columns else 1
        attend[(batch * kv_heads * triton.cdiv(queries, read_together),)](
            *(q, k_arena, v_arena, block_start.contiguous(), block_len.contiguous()),
            *(selected, bias, out, lse, scale, kv_heads, queries, k),
            *(*q.stride()[:3], *k_arena.stride(), *v_arena.stride(), min(k, columns)),
            NARROW=narrow,
            PRECISION=PRECISION[k_arena.dtype.itemsize == 2],
            QUERIES=read_together,
            ROWS=_tile(read_together * shape["GROUP"]),
            **common,
            **shape,
        )
    return out, lse, selected


def _select(
    q: Tensor,
    summary: Tensor,
    eligible: Tensor,
    prior: Tensor | None,
    selected: Tensor,
    bias: Tensor | None,
    scale: float,
    common: dict[str, Any],
    shape: dict[str, int],
) -> None:
    """Fill ``selected`` and ``bias`` [B, KVH, Q, k], for as many queries at once as SCORES_AT_MOST
    allows.
    """
    batch, kv_heads, queries, k = selected.shape
    columns = eligible.shape[1]
    keep_all = k >= columns
    step = queries
    if not keep_all:
        step = min(queries, max(1, SCORES_AT_MOST // (batch * kv_heads * columns)))
    scores = q.new_empty(0 if keep_all else batch * kv_heads * step * columns, dtype=torch.float32)
    for first in range(0, queries, step):
        part = q[:, :, first : first + step]
        count = part.shape[2]
        if not keep_all:
            tiles = triton.cdiv(count, SCORE_TILE["QUERIES"])
            grid: Any = (batch * kv_heads * tiles, triton.cdiv(columns, SCORE_TILE["COLUMNS"]))
            score_kernel[grid](
                *(part, summary, eligible, prior, scores, scale, columns, kv_heads, count),
                *(*part.stride()[:3], *summary.stride()),
                **SCORE_TILE,
                **common,
                **shape,
            )
        select_kernel[(batch * kv_heads * count,)](
            *(scores, eligible, prior, selected, bias),
            *(columns, kv_heads, count, first, queries, k),
            KEEP_ALL=keep_all,
            TILE=min(SELECT_TILE, _tile(columns)),
            K_TILE=min(SELECT_TILE, _tile(k)),
            **common,
        )


def _tile(size: int) -> int:
    """The next power of two, and at least the 16 that ``tl.dot`` multiplies."""
    return max(16, int(triton.next_power_of_2(max(1, size))))
