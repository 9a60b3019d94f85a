"""Is it exact on what it selects? The op against dense attention, alone and merged with
self-attention.

Tolerances come from a float64 yardstick: in a narrower type the op may err as much as dense
attention in that type does, times a small factor, and no more.
"""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from dysk.ops import merge_attention
from tests.dysk.ops import oracle
from tests.dysk.ops.cases import Case, cases, make_case
from tests.dysk.ops.oracle import assert_same


def dense(q: Tensor, keys: Tensor, values: Tensor, bias: Tensor, scale: float) -> Tensor:
    """torch's own attention over keys and values [B, KVH, N, D] with bias [B, 1|H, 1|Q, N]."""
    return scaled_dot_product_attention(
        q, keys, values, attn_mask=bias.to(q.dtype), scale=scale, enable_gqa=True
    )


def all_candidate_tokens(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """Keys, values [B, KVH, N, D] and prior [B, 1, 1, N] of all tokens of a row's candidates."""
    keys, values, bias = [], [], []
    for b, row in enumerate(case.candidates.tolist()):
        slots = [slot for block in row for slot in oracle.slots_of(case, block)]
        columns = [c for c, block in enumerate(row) for _ in oracle.slots_of(case, block)]
        keys.append(case.k_arena[slots].transpose(0, 1))
        values.append(case.v_arena[slots].transpose(0, 1))
        assert case.prior is not None
        bias.append(case.prior[b, columns])
    return torch.stack(keys), torch.stack(values), torch.stack(bias)[:, None, None]


def only_selected(case: Case, selected: Tensor) -> Tensor:
    """0 for tokens of selected blocks and −inf for others, [B, H, Q, N]."""
    group = case.q.shape[1] // case.k_arena.shape[1]
    rows = []
    for b, row in enumerate(case.candidates.tolist()):
        ids = torch.tensor([block for block in row for _ in oracle.slots_of(case, block)])
        kept = (selected[b, :, :, :, None] == ids).any(2)
        rows.append(torch.zeros(kept.shape).double().masked_fill(~kept, -math.inf))
    return torch.stack(rows).repeat_interleave(group, dim=1)


EVEN = (3,) * 8
"""Blocks of one length, so that the rows of a batch can be stacked into one dense attention."""


@pytest.mark.parametrize("k", [6, 9])
def test_with_every_candidate_kept_it_is_dense_attention_over_all_candidates(k: int) -> None:
    case = make_case(5, lengths=EVEN, columns=6, k=k, dim=8)
    out, lse, _ = case.run()
    keys, values, bias = all_candidate_tokens(case)
    assert_same(out, dense(case.q, keys, values, bias, case.scale))
    logits = case.q @ keys.repeat_interleave(2, 1).transpose(-1, -2) * case.scale + bias
    assert_same(lse, logits.logsumexp(-1))


@pytest.mark.parametrize("k", [1, 2, 4])
def test_with_fewer_it_is_dense_attention_over_the_selected_blocks(k: int) -> None:
    case = make_case(5, lengths=EVEN, columns=6, k=k, dim=8)
    out, _, selected = case.run()
    keys, values, bias = all_candidate_tokens(case)
    bias = bias + only_selected(case, selected)
    assert_same(out, dense(case.q, keys, values, bias, case.scale))


@pytest.mark.parametrize("k", [2, 6])
@pytest.mark.parametrize("own_tokens", [1, 7])
def test_merged_with_self_attention_it_is_one_softmax_over_both(k: int, own_tokens: int) -> None:
    case = make_case(6, lengths=EVEN, columns=6, k=k, dim=8)
    random = torch.Generator().manual_seed(1)
    own_keys, own_values = torch.randn(
        2, 2, case.k_arena.shape[1], own_tokens, 8, generator=random, dtype=torch.float64
    )
    unbiased = torch.zeros(2, 1, 1, own_tokens).double()
    own_out = dense(case.q, own_keys, own_values, unbiased, case.scale)
    own_logits = case.q @ own_keys.repeat_interleave(2, 1).transpose(-1, -2) * case.scale

    out, lse, selected = case.run()
    merged, merged_lse = merge_attention(own_out, own_logits.logsumexp(-1), out, lse)

    keys, values, bias = all_candidate_tokens(case)
    bias = bias + only_selected(case, selected)
    both_bias = torch.cat([unbiased.expand(*bias.shape[:-1], own_tokens), bias], dim=-1)
    both_keys = torch.cat([own_keys, keys], dim=2)
    both_values = torch.cat([own_values, values], dim=2)
    want = dense(case.q, both_keys, both_values, both_bias, case.scale)
    assert_same(merged, want)
    logits = case.q @ both_keys.repeat_interleave(2, 1).transpose(-1, -2) * case.scale + both_bias
    assert_same(merged_lse, logits.logsumexp(-1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_in_a_narrow_type_it_errs_no_more_than_dense_attention(dtype: torch.dtype) -> None:
    narrow = make_case(8, lengths=EVEN, columns=8, k=8, dim=32, queries=8).in_type(dtype)
    wide = narrow.in_type(torch.float64)
    keys, values, bias = all_candidate_tokens(narrow)
    truth = dense(wide.q, keys.double(), values.double(), bias.double(), narrow.scale)
    yardstick = (dense(narrow.q, keys, values, bias, narrow.scale).double() - truth).abs().max()
    error = (narrow.run()[0].double() - truth).abs().max()
    # Both are maxima over the same few hundred roundings: a factor of 4 is far above their scatter.
    assert error <= 4 * yardstick + torch.finfo(dtype).tiny


@settings(deadline=None, max_examples=60)
@given(case=cases())
def test_splitting_the_candidates_in_two_and_merging_changes_nothing(case: Case) -> None:
    """With all kept, attention over a row's distinct candidates is the merge of any two halves."""
    distinct = torch.full_like(case.candidates, -1)
    for b, row in enumerate(case.candidates.tolist()):
        for column, block in enumerate(row):
            if block not in row[:column]:
                distinct[b, column] = block
    columns = distinct.shape[1]
    whole = case.but(candidates=distinct, k=columns)
    even = torch.arange(columns) % 2 == 0
    first = whole.but(candidates=distinct.masked_fill(even, -1)).run()
    second = whole.but(candidates=distinct.masked_fill(~even, -1)).run()
    merged = merge_attention(first[0], first[1], second[0], second[1])
    for one, other in zip(merged, whole.run()[:2], strict=True):
        assert_same(one, other)


def test_temperature_is_a_change_of_scale_that_leaves_the_prior_alone() -> None:
    case = make_case(9, k=3)
    cooler = case.but(temperature=0.5).run()
    rescaled = case.but(scale=case.scale * 2).run()
    for one, other in zip(cooler, rescaled, strict=True):
        assert torch.equal(one, other)
