"""The gradient of sparse knowledge attention, as an operator of its own.

Opaque to ``torch.compile``, since what it allocates depends on the lengths of the selected blocks.
Probabilities are recomputed from the saved lse, as in FlashAttention (Dao et al., arXiv 2205.14135,
appendix B.2); the term ``grad_lse`` comes from ∂lse/∂logit = probability. The selection is a
constant: a block's gradient flows through what was read, never through its score.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dysk.ops import reference

NAME = "dysk::sparse_knowledge_attention_backward"
torch.library.define(
    NAME,
    "(Tensor grad_out, Tensor grad_lse, Tensor q, Tensor k_arena, Tensor v_arena, "
    "Tensor block_start, Tensor block_len, Tensor candidates, Tensor? prior, Tensor lse, "
    "Tensor selected, float scale, float temperature, bool need_arenas, bool need_prior) "
    "-> (Tensor grad_q, Tensor grad_k_arena, Tensor grad_v_arena, Tensor grad_prior)",
)


@torch.library.impl(NAME, "default")
def _backward_kernel(
    grad_out: Tensor,
    grad_lse: Tensor,
    q: Tensor,
    k_arena: Tensor,
    v_arena: Tensor,
    block_start: Tensor,
    block_len: Tensor,
    candidates: Tensor,
    prior: Tensor | None,
    lse: Tensor,
    selected: Tensor,
    scale: float,
    temperature: float,
    need_arenas: bool,
    need_prior: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of q, k_arena, v_arena and prior; those not needed come back empty."""
    kv_heads, scale = k_arena.shape[1], scale / temperature
    read = reference.as_read(selected, candidates)
    tokens = reference.tokens_of(read, block_start, block_len)
    position = reference.positions_of(read, candidates)
    bias = None if prior is None else reference.take(prior, position, padding=0)
    logits = reference.token_logits(q, k_arena, tokens, bias, scale)

    def grouped(x: Tensor) -> Tensor:
        return reference.grouped(x.to(logits.dtype), kv_heads)

    weights = reference.probabilities(logits, grouped(lse))
    values = reference.gather(v_arena, tokens, logits.dtype)
    grad_weights = torch.einsum("bhgqd,bhqtd->bhgqt", grouped(grad_out), values)
    mean = (weights * grad_weights).sum(-1, keepdim=True)
    grad_logits = weights * (grad_weights - mean + grouped(grad_lse)[..., None])

    keys = reference.gather(k_arena, tokens, logits.dtype)
    grad_q = torch.einsum("bhgqt,bhqtd->bhgqd", grad_logits, keys) * scale
    grad_k, grad_v = k_arena.new_empty(0), v_arena.new_empty(0)
    if need_arenas:
        grad_k = _scatter_to_arena(grad_logits, grouped(q) * scale, k_arena, tokens)
        grad_v = _scatter_to_arena(weights, grouped(grad_out), v_arena, tokens)
    grad_prior = lse.new_empty(0)
    if need_prior:
        grad_bias = reference.per_block(grad_logits.sum(2), selected.shape[-1], tokens)
        grad_prior = _scatter_to_candidates(grad_bias, position, candidates.shape[1])
    return grad_q.flatten(1, 2).to(q.dtype).contiguous(), grad_k, grad_v, grad_prior


def _scatter_to_arena(
    weights: Tensor, rows: Tensor, arena: Tensor, tokens: reference.Tokens
) -> Tensor:
    """Σ weight · row over the queries that read a slot, as a tensor shaped like the arena."""
    if tokens.shared:
        per_token = torch.einsum("bhgqt,bhgqd->bhtd", weights, rows)[:, :, None]
    else:
        per_token = torch.einsum("bhgqt,bhgqd->bhqtd", weights, rows)
    heads = torch.arange(arena.shape[1], device=arena.device)[:, None, None]
    total = torch.zeros(arena.shape, dtype=weights.dtype, device=arena.device)
    total.index_put_((tokens.slots, heads), per_token, accumulate=True)
    return total.to(arena.dtype)


def _scatter_to_candidates(grad_bias: Tensor, position: Tensor, columns: int) -> Tensor:
    """Σ over heads and queries of each candidate's part, [B, C]; column C collects the padding."""
    total = grad_bias.new_zeros((grad_bias.shape[0], columns + 1))
    total.scatter_add_(1, position.expand_as(grad_bias).flatten(1), grad_bias.flatten(1))
    return total[:, :columns].contiguous()


def _backward_shapes(
    grad_out: Tensor,
    grad_lse: Tensor,
    q: Tensor,
    k_arena: Tensor,
    v_arena: Tensor,
    block_start: Tensor,
    block_len: Tensor,
    candidates: Tensor,
    prior: Tensor | None,
    lse: Tensor,
    selected: Tensor,
    scale: float,
    temperature: float,
    need_arenas: bool,
    need_prior: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (
        q.new_empty(q.shape),
        k_arena.new_empty(k_arena.shape if need_arenas else 0),
        v_arena.new_empty(v_arena.shape if need_arenas else 0),
        lse.new_empty(candidates.shape if need_prior else 0),
    )


torch.library.register_fake(NAME, _backward_shapes)


def save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    """Keep what the gradient needs: no arena copy, no probabilities."""
    q, k_arena, v_arena, _, block_start, block_len, candidates, prior, _, scale, temperature, _ = (
        inputs
    )
    _, lse, selected = output
    ctx.save_for_backward(
        q, k_arena, v_arena, block_start, block_len, candidates, prior, lse, selected
    )
    ctx.scale, ctx.temperature = scale, temperature


def backward(ctx: Any, grad_out: Tensor, grad_lse: Tensor, _: Tensor | None) -> tuple[Any, ...]:
    """Gradients in the order of the operator's arguments; None for those that have none."""
    need_q, need_k, need_v, *_, need_prior = ctx.needs_input_grad[:8]
    grad_q, grad_k, grad_v, grad_prior = torch.ops.dysk.sparse_knowledge_attention_backward(
        grad_out,
        grad_lse,
        *ctx.saved_tensors,
        ctx.scale,
        ctx.temperature,
        need_k or need_v,
        need_prior,
    )
    return (
        grad_q if need_q else None,
        grad_k if need_k else None,
        grad_v if need_v else None,
        *[None] * 4,
        grad_prior if need_prior else None,
        *[None] * 4,
    )
