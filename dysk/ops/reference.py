"""The executable definition of sparse knowledge attention, in plain PyTorch.

Every other implementation is tested against this file. Arithmetic is float32, or float64 where the
queries are float64, whatever the arena holds. Shapes are named as in docs/op.md: B batch, Q query
tokens, H query heads, KVH key/value heads, G = H/KVH, D head dim, C candidates, k selected, S arena
slots, F blocks. T is the length of the longest selected block, L = (blocks read) × T.

Where k ≥ C every candidate is kept, for every query alike. Such a *shared* selection has size 1 in
its KVH and Q dimensions, so that broadcasting gathers the blocks of a row once instead of once per
query; apart from the gather, no line below distinguishes the two cases.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

NEG_INF = float("-inf")


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

    Arguments are those of ``dysk.ops.sparse_knowledge_attention``, already validated.
    """
    scale = scale / temperature
    position = select(q, summary, candidates, prior, k, scale)
    selected = take(candidates, position, padding=-1)
    tokens = tokens_of(selected, block_start, block_len)
    bias = None if prior is None else take(prior, position, padding=0)
    logits = token_logits(q, k_arena, tokens, bias, scale)
    lse = logits.logsumexp(-1)
    values = gather(v_arena, tokens, logits.dtype)
    out = torch.einsum("bhgqt,bhqtd->bhgqd", probabilities(logits, lse), values)
    return (
        out.flatten(1, 2).to(q.dtype).contiguous(),
        lse.flatten(1, 2).contiguous(),
        _one_row_per_query(selected, k_arena.shape[1], q.shape[2], k),
    )


def arithmetic_dtype(q: Tensor) -> torch.dtype:
    """float64 for float64 queries, float32 for all others; also the type of lse and prior."""
    return torch.float64 if q.dtype == torch.float64 else torch.float32


def select(
    q: Tensor, summary: Tensor, candidates: Tensor, prior: Tensor | None, k: int, scale: float
) -> Tensor:
    """Columns of the kept candidates, i64[B, KVH|1, Q|1, min(k, C)], ascending, then C for none.

    A block's score is the logit that its summary would get as a key, averaged over the query heads
    of a group, plus its prior. Of equal scores the earlier candidate wins.
    """
    columns = candidates.shape[1]
    eligible = _eligible(candidates, prior)[:, None, None, :]
    if k >= columns:
        best = torch.arange(columns, device=candidates.device)
    else:
        scores = _block_scores(q, summary, candidates, prior, scale)
        scores = scores.masked_fill(~eligible, NEG_INF)
        best = scores.sort(dim=-1, descending=True, stable=True).indices[..., :k]
        eligible = eligible.expand_as(scores).gather(-1, best)
    return torch.where(eligible, best, columns).sort(dim=-1).values


def _eligible(candidates: Tensor, prior: Tensor | None) -> Tensor:
    """bool[B, C]: not padding, not a repetition of an earlier candidate, prior above −inf."""
    ids, order = candidates.sort(dim=-1, stable=True)
    first = torch.ones_like(ids, dtype=torch.bool)
    first[:, 1:] = ids[:, 1:] != ids[:, :-1]
    eligible = torch.empty_like(first).scatter_(-1, order, first) & (candidates >= 0)
    return eligible if prior is None else eligible & (prior > NEG_INF)


def _block_scores(
    q: Tensor, summary: Tensor, candidates: Tensor, prior: Tensor | None, scale: float
) -> Tensor:
    """[B, KVH, Q, C]; padding gets a meaningless score, which the caller masks."""
    dtype = arithmetic_dtype(q)
    group_query = grouped(q, summary.shape[1]).to(dtype).mean(2)  # [B, KVH, Q, D]
    keys = _rows(summary, candidates).to(dtype)  # [B, C, KVH, D]
    scores = torch.einsum("bhqd,bchd->bhqc", group_query, keys) * scale
    return scores if prior is None else scores + prior[:, None, None, :]


def take(values: Tensor, position: Tensor, padding: float) -> Tensor:
    """Per row, ``values[B, C]`` at each ``position``; ``padding`` at C. Shaped as ``position``."""
    padded = pad(values, (0, 1), value=padding)
    return padded.gather(1, position.flatten(1)).view_as(position)


def positions_of(selected: Tensor, candidates: Tensor) -> Tensor:
    """The column where each selected id first stands in its row of candidates; C for −1."""
    ids, order = candidates.sort(dim=-1, stable=True)
    rank = torch.searchsorted(ids, selected.flatten(1).contiguous())
    position = take(order, rank.view_as(selected), padding=candidates.shape[1])
    return position.masked_fill(selected < 0, candidates.shape[1])


@dataclass(frozen=True)
class Tokens:
    """Where the tokens of the selected blocks lie: [B, KVH|1, Q|1, L], block after block.

    Blocks shorter than T are padded: there ``valid`` is False and ``slots`` 0.
    """

    slots: Tensor
    valid: Tensor
    longest: int
    """T: each selected block takes this many places of L."""

    @property
    def shared(self) -> bool:
        """All query heads and tokens of a row read the same slots."""
        return self.slots.shape[1] == self.slots.shape[2] == 1


def tokens_of(selected: Tensor, block_start: Tensor, block_len: Tensor) -> Tokens:
    """The arena slots of the selected blocks (−1 has none)."""
    length = _rows(block_len, selected).masked_fill(selected < 0, 0)[..., None]
    longest = int(length.max()) if length.numel() else 0
    offset = torch.arange(longest, device=selected.device)
    valid = offset < length
    slots = (_rows(block_start, selected)[..., None] + offset).masked_fill(~valid, 0)
    return Tokens(slots.flatten(-2), valid.flatten(-2), longest)


def _rows(table: Tensor, ids: Tensor) -> Tensor:
    """The row of each block id; anything for −1, which an empty table has no row to stand for."""
    if table.shape[0] == 0:
        return table.new_zeros((*ids.shape, *table.shape[1:]))
    return table[ids.clamp_min(0)]


def gather(arena: Tensor, tokens: Tokens, dtype: torch.dtype) -> Tensor:
    """[B, KVH, Q|1, L, D] in ``dtype``.

    Padding becomes zero: a weight of 0 does not silence what it multiplies if that is NaN.
    """
    batch, heads = tokens.slots.shape[0], arena.shape[1]
    if tokens.shared:
        rows = arena.index_select(0, tokens.slots.flatten())
        rows = rows.view(batch, tokens.slots.shape[-1], *rows.shape[1:]).transpose(1, 2)[:, :, None]
    else:
        rows = arena[tokens.slots, torch.arange(heads, device=arena.device)[:, None, None]]
    return rows.to(dtype).masked_fill(~tokens.valid[..., None], 0)


def token_logits(
    q: Tensor, k_arena: Tensor, tokens: Tokens, bias: Tensor | None, scale: float
) -> Tensor:
    """[B, KVH, G, Q, L]: q·k·scale plus the block's bias; −inf where a token is padding."""
    keys = gather(k_arena, tokens, arithmetic_dtype(q))
    queries = grouped(q, k_arena.shape[1]).to(keys.dtype)
    logits = torch.einsum("bhgqd,bhqtd->bhgqt", queries, keys) * scale
    if bias is not None:
        logits = logits + bias.repeat_interleave(tokens.longest, dim=-1)[:, :, None]
    return logits.masked_fill(~tokens.valid[:, :, None], NEG_INF)


def probabilities(logits: Tensor, lse: Tensor) -> Tensor:
    """exp(logits − lse), and 0 instead of NaN where there was no token at all."""
    return torch.exp(logits - lse.masked_fill(lse == NEG_INF, 0)[..., None])


def per_block(per_token: Tensor, blocks: int, tokens: Tokens) -> Tensor:
    """[..., L] summed over each block's tokens to [..., blocks]."""
    return per_token.reshape(*per_token.shape[:-1], blocks, tokens.longest).sum(-1)


def grouped(x: Tensor, kv_heads: int) -> Tensor:
    """[B, H, ...] to [B, KVH, G, ...]: query head h reads key/value head h // G."""
    batch, heads, *rest = x.shape
    return x.reshape(batch, kv_heads, heads // kv_heads, *rest)


def as_read(selected: Tensor, candidates: Tensor) -> Tensor:
    """The selection as the forward pass read it: shared where k ≥ C, since all rows are alike."""
    return selected[:, :1, :1] if selected.shape[-1] >= candidates.shape[1] else selected


def _one_row_per_query(selected: Tensor, kv_heads: int, queries: int, k: int) -> Tensor:
    """i64[B, KVH, Q, k]: a shared selection repeated, and −1 up to k."""
    full = selected.expand(selected.shape[0], kv_heads, queries, selected.shape[-1])
    return pad(full, (0, k - selected.shape[-1]), value=-1).contiguous()
