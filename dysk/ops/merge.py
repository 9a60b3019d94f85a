"""Two attentions over disjoint tokens, made into the attention over both.

The identity behind FlashAttention's tiles and Flash-Decoding's splits (Dao et al., arXiv
2205.14135, §3.1; Milakov and Gimelshein, arXiv 1805.02867): with the log-sum-exp of each part's
logits, the parts' outputs combine into exactly the output of one softmax over all logits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dysk.ops import native

NAME = "dysk::merge_attention"
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
    if _has_kernel(out_a, lse_a, out_b, lse_b):
        try:
            merged: tuple[Tensor, Tensor] = _operator(out_a, lse_a, out_b, lse_b)
        except ValueError:
            _check(out_a, lse_a, out_b, lse_b)
            raise
        return merged
    _check(out_a, lse_a, out_b, lse_b)
    return _merge(out_a, lse_a, out_b, lse_b)


def _has_kernel(out_a: Tensor, lse_a: Tensor, out_b: Tensor, lse_b: Tensor) -> bool:
    """Whether the CPU kernel, one pass over memory, can stand in for a dozen operators."""
    return (
        not torch.compiler.is_compiling()  # the compiler fuses them itself, gradients included
        and native.is_loaded()
        and out_a.is_cpu
        and out_a.dim() == 4
        and out_a.dtype != torch.float64
        and lse_a.dtype == torch.float32
        and out_a.stride(-1) == out_b.stride(-1) == 1
        and not (
            torch.is_grad_enabled() and any(x.requires_grad for x in (out_a, lse_a, out_b, lse_b))
        )
    )


def _merge(out_a: Tensor, lse_a: Tensor, out_b: Tensor, lse_b: Tensor) -> tuple[Tensor, Tensor]:
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


def _shapes(out_a: Tensor, lse_a: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return torch.empty_like(out_a), torch.empty_like(lse_a)


torch.library.define(
    NAME, "(Tensor out_a, Tensor lse_a, Tensor out_b, Tensor lse_b) -> (Tensor out, Tensor lse)"
)
torch.library.impl(NAME, "default", _merge)
torch.library.register_fake(NAME, _shapes)
_operator = torch.ops.dysk.merge_attention.default
