"""What a model must compute that reads facts: one softmax over its context and the facts.

Written in loops over float64 numbers, sharing no line with the package, and given to transformers
as an attention function of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import sdpa_mask

from dysk.attention import Reading

_NAME = "oracle"


@dataclass
class Concatenation:
    """The reading, and each (layer, row, head, query) -> share of each column of candidates.

    Shares are of the last pass.
    """

    reading: Reading
    shares: dict[tuple[int, int, int, int], list[float]] = field(default_factory=dict)


@contextmanager
def concatenating(model: PreTrainedModel, reading: Reading) -> Iterator[Concatenation]:
    """Forward passes inside attend to context and facts at once."""
    state = Concatenation(reading)
    modules = [module for module in model.modules() if hasattr(module, "layer_idx")]
    before = model.config._attn_implementation
    for module in modules:
        setattr(module, _NAME, state)
    model.set_attn_implementation(_NAME)
    try:
        yield state
    finally:
        model.set_attn_implementation(before)
        for module in modules:
            delattr(module, _NAME)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    **_: Any,
) -> tuple[Tensor, None]:
    state: Concatenation = getattr(module, _NAME)
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    batch, heads, queries, _dim = query.shape
    length, group = key.shape[2], heads // key.shape[1]
    if attention_mask is None:
        seen = torch.ones(queries, length, dtype=torch.bool).tril(length - queries)
        attention_mask = seen.expand(batch, 1, queries, length)
    q, k, v = query.double(), key.double(), value.double()
    rows = []
    for b in range(batch):
        for h in range(heads):
            for i in range(queries):
                seen = attention_mask[b, 0, i, :length]
                own_keys, own_values = k[b, h // group, seen], v[b, h // group, seen]
                facts = _facts(state.reading, layer, q[b, :, i], b, h, h // group, scaling)
                scores = torch.cat(
                    [own_keys @ q[b, h, i] * scaling, *(fact.logits for fact in facts)]
                )
                values = torch.cat([own_values, *(fact.values for fact in facts)])
                weights = scores.softmax(0)
                rows.append(weights @ values)
                _record(state, (layer, b, h, i), facts, weights[len(own_keys) :])
    out = torch.stack(rows).view(batch, heads, queries, -1)
    return out.transpose(1, 2).to(query.dtype), None


@dataclass
class _Fact:
    column: int
    score: Tensor
    logits: Tensor
    values: Tensor


def _facts(
    reading: Reading, layer: int, queries: Tensor, b: int, h: int, head: int, scale: float
) -> list[_Fact]:
    """The k facts that one query token reads with one head. queries [H, D] of that token."""
    if layer < reading.first_layer or reading.gate == -math.inf:
        return []
    memory, found, seen = reading.memory, list[_Fact](), set[int]()
    group = len(queries) // memory.keys.shape[2]
    for column, row in enumerate(reading.candidates[b].tolist()):
        prior = 0.0 if reading.prior is None else float(reading.prior[b, column])
        if row < 0 or row in seen:
            continue
        seen.add(row)
        if prior == -math.inf:
            continue
        start = int(memory.start[row])
        slots = slice(start, start + int(memory.length[row]))
        keys = memory.keys[layer, slots, head].double()
        sharpness = scale / reading.temperature
        members = queries[head * group : (head + 1) * group]
        found.append(
            _Fact(
                column,
                score=(members @ keys.mean(0)).mean() * sharpness + prior,
                logits=keys @ queries[h] * sharpness + prior + reading.gate,
                values=memory.values[layer, slots, head].double(),
            )
        )
    found.sort(key=lambda fact: -fact.score.item())  # stable: of equals the earlier comes first
    return found[: reading.k]


def _record(
    state: Concatenation, place: tuple[int, int, int, int], facts: list[_Fact], weights: Tensor
) -> None:
    shares = [0.0] * state.reading.candidates.shape[1]
    begin = 0
    for fact in facts:
        end = begin + len(fact.logits)
        shares[fact.column] = weights[begin:end].sum().item()
        begin = end
    state.shares[place] = shares


AttentionInterface.register(_NAME, _attention)
AttentionMaskInterface.register(_NAME, sdpa_mask)
