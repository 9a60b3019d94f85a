"""How much attention each selected block received: the figure that evidence shows."""

from __future__ import annotations

import torch
from torch import Tensor

from dysk.ops import reference


def block_mass(
    q: Tensor,
    k_arena: Tensor,
    block_start: Tensor,
    block_len: Tensor,
    candidates: Tensor,
    prior: Tensor | None,
    selected: Tensor,
    lse: Tensor,
    scale: float,
    temperature: float = 1.0,
) -> Tensor:
    """The share of each query's attention that fell on each selected block, [B, H, Q, k] in lse's
    type.

    ``selected`` is what ``sparse_knowledge_attention`` returned for the same arguments. With the
    ``lse`` that it
    returned, the shares of a query sum to 1; with the merged ``lse`` of ``merge_attention`` they
    are shares of all that the query attended to, and sum to less. Padding (−1), and a query that
    read nothing, get 0. No gradient flows.
    """
    if block_start.shape[0] == 0:
        return lse.new_zeros((*lse.shape, selected.shape[-1]))
    with torch.no_grad():
        tokens = reference.tokens_of(selected, block_start, block_len)
        bias = reference.prior_of_selected(selected, candidates, prior)
        logits = reference.token_logits(q, k_arena, tokens, bias, scale / temperature)
        weights = reference.probabilities(logits, reference.grouped(lse, k_arena.shape[1]))
        per_token = weights.flatten(1, 2)
        return per_token.reshape(*lse.shape, selected.shape[-1], tokens.longest).sum(-1)
