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
    """Share of each query's attention that each selected block got: [B, H, Q, k] in lse's type.

    ``selected`` is what ``sparse_knowledge_attention`` returned for the same arguments. With the
    ``lse`` that it returned, the shares of a query sum to 1; with the merged ``lse`` of
    ``merge_attention`` they are shares of all that the query attended to, and sum to less. Padding
    (−1), and a query that read nothing, get 0. No gradient flows.
    """
    with torch.no_grad():
        read = reference.as_read(selected, candidates)
        tokens = reference.tokens_of(read, block_start, block_len)
        bias = None
        if prior is not None:
            bias = reference.take(prior, reference.positions_of(read, candidates), padding=0)
        logits = reference.token_logits(q, k_arena, tokens, bias, scale / temperature)
        weights = reference.probabilities(logits, reference.grouped(lse, k_arena.shape[1]))
        return reference.per_block(weights, selected.shape[-1], tokens).flatten(1, 2)
