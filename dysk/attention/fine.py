"""Fine selection: the model's own retrieval heads choose among the candidates.

A *retrieval head* gives most of its attention to the one fact that answers (Wu et al., arXiv
2404.15574, name heads that do so for text in the context). Here such a head is asked before the
facts are read: the queries of the plain question, taken at that head, are scored against the keys
of the candidates' blocks. The score of a fact is the log of its share of the head's attention,
averaged over heads, plus a multiple of its coarse score.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dysk.attention.knowledge import Probe
from dysk.attention.memory import FactMemory

FLOOR = 1e-9
"""The least share that is told apart from none."""


@dataclass(frozen=True, slots=True)
class RetrievalHeads:
    """The heads, as (layer, query head), and λ, the weight of a coarse score in [−1, 1] beside
    their log-share.
    """

    heads: tuple[tuple[int, int], ...]
    coarse_weight: float

    @property
    def layers(self) -> frozenset[int]:
        """The layers that a probe must record."""
        return frozenset(layer for layer, _ in self.heads)

    @property
    def by_layer(self) -> dict[int, list[int]]:
        """Heads of each layer."""
        grouped: dict[int, list[int]] = {}
        for layer, head in self.heads:
            grouped.setdefault(layer, []).append(head)
        return grouped


def head_shares(probe: Probe, memory: FactMemory, layer: int, candidates: Tensor) -> Tensor:
    """Each candidate's share of each head's attention at temperature 1, averaged over the
    question's tokens.

    candidates i64[B, C] are block rows (−1 pads, share 0); returns f32[B, H, C].
    """
    query, self_lse, scale = probe.seen[layer]
    rows = candidates.clamp_min(0)
    length = memory.length[rows].masked_fill(candidates < 0, 0)
    offset = torch.arange(max(int(length.max()), 1), device=query.device)
    real = offset < length[..., None]  # [B, C, T]
    slots = (memory.start[rows][..., None] + offset).masked_fill(~real, 0)
    keys = memory.keys[layer][slots].float()  # [B, C, T, KVH, D]
    batch, _, queries, dim = query.shape
    grouped = query.float().view(batch, keys.shape[3], -1, queries, dim)
    logits = torch.einsum("bhgqd,bcthd->bhgqct", grouped, keys).flatten(1, 2) * scale
    logits = logits.masked_fill(~real[:, None, None], float("-inf"))
    block_lse = logits.logsumexp(-1)  # [B, H, Q, C]
    total = torch.logaddexp(self_lse.float(), block_lse.logsumexp(-1))
    return (block_lse - total[..., None]).exp().mean(2)


def fuse(shares: Tensor, coarse: Tensor, weight: float) -> Tensor:
    """Mean log-share over heads plus weighted coarse score: shares [B, h, C], coarse [B, C] ->
    f32[B, C].
    """
    return shares.clamp_min(FLOOR).log().mean(1) + weight * coarse


def select(
    probe: Probe, memory: FactMemory, heads: RetrievalHeads, candidates: Tensor, coarse: Tensor
) -> Tensor:
    """The fine score of each candidate, f32[B, C]; −inf for padding. Higher is better."""
    shares = torch.cat(
        [
            head_shares(probe, memory, layer, candidates)[:, chosen]
            for layer, chosen in heads.by_layer.items()
        ],
        dim=1,
    )
    return fuse(shares, coarse, heads.coarse_weight).masked_fill(candidates < 0, float("-inf"))
