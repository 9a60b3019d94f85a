"""The model's own attention together with its log-sum-exp, which ``sdpa`` does not return."""

from __future__ import annotations

import torch
from torch import Tensor


def self_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
) -> tuple[Tensor, Tensor]:
    """query [B, H, Q, D], key and value [B, KVH, L, D] -> output [B, H, Q, D] and lse f32[B, H, Q].

    ``mask`` is [B, 1, Q, L'] with L' ≥ L, bool (True may be seen) or added to the logits. None
    means causal: a single query sees all keys, the i-th of several the first i. lse is float64 for
    float64 queries.
    """
    group = query.shape[1] // key.shape[1]
    if mask is not None:
        mask = mask[..., : key.shape[2]]
    elif query.shape[2] > 1:
        # A static cache is longer than what stands in it.
        key, value = key[:, :, : query.shape[2]], value[:, :, : query.shape[2]]
    needs_grad = torch.is_grad_enabled() and (
        query.requires_grad or key.requires_grad or value.requires_grad
    )
    if query.device.type == "cpu" and not needs_grad:
        return _flash_cpu(query, key, value, mask, scale)
    return _explicit(query, key, value, mask, scale, group)


def _flash_cpu(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
) -> tuple[Tensor, Tensor]:
    """The kernel that sdpa itself picks on CPU. It has no gradient for the log-sum-exp.

    It reads grouped keys and values as they are.
    """
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query,
        key,
        value,
        0.0,
        mask is None and query.shape[2] > 1,
        attn_mask=None if mask is None else _bias(mask, query.dtype),
        scale=scale,
    )
    return out, lse


def _explicit(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, group: int
) -> tuple[Tensor, Tensor]:
    """Differentiable, and for devices whose fused kernels keep the log-sum-exp to themselves."""
    wide = torch.promote_types(query.dtype, torch.float32)
    logits = (query @ _repeat(key, group).transpose(-1, -2)).to(wide) * scale
    queries, length = logits.shape[-2:]
    if mask is None:
        mask = torch.ones(queries, length, dtype=torch.bool, device=query.device).tril(
            length - queries
        )
    logits = logits + _bias(mask, wide)
    weights = logits.softmax(-1).to(value.dtype)
    return weights @ _repeat(value, group), logits.logsumexp(-1)


def _bias(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask as numbers to add to logits.

    The least is finite: a padding row, all masked, must not become NaN, nor its lse 0.
    """
    least = torch.finfo(dtype).min
    if mask.dtype == torch.bool:
        return torch.zeros_like(mask, dtype=dtype).masked_fill(~mask, least)
    return mask.clamp_min(least)


def _repeat(heads: Tensor, group: int) -> Tensor:
    """[B, KVH, L, D] -> [B, KVH·group, L, D]."""
    return heads if group == 1 else heads.repeat_interleave(group, dim=1)
