"""Two attentions over disjoint tokens, made into the attention over both.

The identity behind FlashAttention's tiles and Flash-Decoding's splits (Dao et al., arXiv
2205.14135, §3.1; Milakov and Gimelshein, arXiv 1805.02867): with the log-sum-exp of each part's
logits, the parts' outputs combine into exactly the output of one softmax over all logits.
"""

from __future__ import annotations

import torch
from torch import Tensor

NEG_INF = float("-inf")


def merge_attention(
    out_a: Tensor, lse_a: Tensor, out_b: Tensor, lse_b: Tensor
) -> tuple[Tensor, Tensor]:
    """One attention from two: ``out`` [..., D] in the outs' type, ``lse`` [...] in the lses'.

    A part with lse = −inf read nothing: its out is ignored, whatever it holds, and the result is
    bit-identical to the other part. Where both read nothing, out = 0 and lse = −inf.
    Differentiable in all four, without NaN. Add a number to an lse first to weigh its part (a
    gate).

    Raises ValueError when shapes or types do not fit.
    """
    _check(out_a, lse_a, out_b, lse_b)
    a_is_empty, b_is_empty = lse_a == NEG_INF, lse_b == NEG_INF
    # where() alone would hide infinities from the result but not from its gradient (0 · inf).
    finite_a, finite_b = lse_a.masked_fill(a_is_empty, 0), lse_b.masked_fill(b_is_empty, 0)
    part_a = out_a.masked_fill(a_is_empty[..., None], 0)
    part_b = out_b.masked_fill(b_is_empty[..., None], 0)

    share_a = torch.sigmoid(finite_a - finite_b)[..., None]
    share_b = torch.sigmoid(finite_b - finite_a)[..., None]
    mixed = (part_a * share_a + part_b * share_b).to(out_a.dtype)
    out = torch.where(a_is_empty[..., None], part_b, mixed)
    out = torch.where(b_is_empty[..., None], part_a, out)

    lse = torch.where(a_is_empty, lse_b, torch.logaddexp(finite_a, finite_b))
    return out, torch.where(b_is_empty, lse_a, lse)


def _check(out_a: Tensor, lse_a: Tensor, out_b: Tensor, lse_b: Tensor) -> None:
    if out_a.shape != out_b.shape or out_a.dtype != out_b.dtype:
        raise ValueError(
            "out_a and out_b must have one shape and type, "
            f"not {list(out_a.shape)} {out_a.dtype} and {list(out_b.shape)} {out_b.dtype}"
        )
    if not lse_a.shape == lse_b.shape == out_a.shape[:-1] or lse_a.dtype != lse_b.dtype:
        raise ValueError(
            f"lse_a and lse_b must be {list(out_a.shape[:-1])} of one type, "
            f"not {list(lse_a.shape)} {lse_a.dtype} and {list(lse_b.shape)} {lse_b.dtype}"
        )
