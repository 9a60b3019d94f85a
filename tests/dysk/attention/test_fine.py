"""Fine selection: shares of heads against loops, and what the fused score ranks first."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from dysk.attention import FactMemory, Probe
from dysk.attention.fine import FLOOR, RetrievalHeads, fuse, head_shares, select
from tests.dysk.attention.tiny import HEAD_DIM, HEADS, KV_HEADS, LAYERS, filled_memory

MEMORY = filled_memory()  # NaN around the blocks: padding must not be read
SCALE = 0.25
CANDIDATES = st.lists(st.lists(st.integers(-1, 5), min_size=4, max_size=4), min_size=1, max_size=3)


def probe(batch: int, *, queries: int = 3, seed: int = 0, loudness: float = 1.0) -> Probe:
    """Random queries and log-sum-exps of both layers."""
    generator = torch.Generator().manual_seed(seed)
    seen = {
        layer: (
            loudness * torch.randn(batch, HEADS, queries, HEAD_DIM, generator=generator),
            torch.randn(batch, HEADS, queries, generator=generator),
            SCALE,
        )
        for layer in range(LAYERS)
    }
    return Probe(frozenset(range(LAYERS)), seen)


def expected_shares(probe: Probe, layer: int, candidates: Tensor) -> Tensor:
    query, lse, scale = probe.seen[layer]
    batch, heads, queries, _ = query.shape
    shares = torch.zeros(batch, heads, candidates.shape[1], dtype=torch.float64)
    for b in range(batch):
        for h in range(heads):
            for i in range(queries):
                masses = []
                for row in candidates[b].tolist():
                    begin = int(MEMORY.start[row])
                    slots = range(begin, begin + int(MEMORY.length[row])) if row >= 0 else []
                    keys = [MEMORY.keys[layer, slot, h * KV_HEADS // heads] for slot in slots]
                    masses.append(sum(math.exp(float(query[b, h, i] @ k) * scale) for k in keys))
                total = math.exp(float(lse[b, h, i])) + sum(masses)
                shares[b, h] += torch.tensor([mass / total / queries for mass in masses])
    return shares


@given(CANDIDATES, st.integers(1, 4), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_shares_are_those_of_one_softmax_averaged_over_the_question(
    rows: list[list[int]], queries: int, seed: int
) -> None:
    candidates = torch.tensor(rows)
    asked = probe(len(rows), queries=queries, seed=seed)
    for layer in range(LAYERS):
        shares = head_shares(asked, MEMORY, layer, candidates)
        assert shares.dtype == torch.float32
        exact = expected_shares(asked, layer, candidates)
        torch.testing.assert_close(shares.double(), exact, rtol=1e-4, atol=1e-6)
        assert (shares.transpose(1, 2)[candidates < 0] == 0).all()


def test_loud_queries_give_shares_too_and_no_nan() -> None:
    candidates = torch.tensor([[0, 1, 2, -1]])
    shares = head_shares(probe(1, loudness=1e3), MEMORY, 0, candidates)
    assert shares.isfinite().all()
    assert (shares.sum(-1) <= 1 + 1e-5).all()
    assert shares.max() > 0.3


def test_a_row_of_padding_gets_nothing() -> None:
    candidates = torch.tensor([[-1, -1], [3, -1]])
    shares = head_shares(probe(2), MEMORY, 1, candidates)
    assert (shares[0] == 0).all()
    assert (shares[1, :, 0] > 0).all()
    heads = RetrievalHeads(((1, 0),), 5.0)
    scores = select(probe(2), MEMORY, heads, candidates, torch.ones(2, 2))
    assert scores.isneginf().tolist() == [[True, True], [False, True]]


def test_the_fused_score_is_the_mean_log_share_plus_the_weighted_coarse_score() -> None:
    shares = torch.tensor([[[0.5, 0.25], [0.125, 1.0]]])
    coarse = torch.tensor([[0.5, -1.0]])
    mean_logs = [math.log(0.5 * 0.125) / 2, math.log(0.25 * 1.0) / 2]
    expected = [[mean_logs[0] + 4 * 0.5, mean_logs[1] - 4.0]]
    assert fuse(shares, coarse, 4.0).tolist() == [pytest.approx(expected[0])]


def test_no_share_counts_as_the_least_share_so_the_coarse_score_still_decides() -> None:
    fused = fuse(torch.zeros(1, 2, 3), torch.tensor([[0.1, 0.9, 0.5]]), 2.0)
    assert fused.isfinite().all()
    assert fused.argsort(descending=True).tolist() == [[1, 2, 0]]
    assert fused[0, 0] == pytest.approx(math.log(FLOOR) + 0.2)


@given(CANDIDATES, st.integers(0, 99), st.sampled_from([0.0, 2.5, 40.0]))
@settings(max_examples=30, deadline=None)
def test_select_scores_by_the_chosen_heads_of_every_layer(
    rows: list[list[int]], seed: int, weight: float
) -> None:
    heads = RetrievalHeads(((1, 5), (0, 2), (1, 0)), weight)
    candidates, asked = torch.tensor(rows), probe(len(rows), seed=seed)
    coarse = torch.rand(candidates.shape, generator=torch.Generator().manual_seed(seed))
    logs = sum(
        expected_shares(asked, layer, candidates)[:, head].clamp_min(FLOOR).log()
        for layer, head in heads.heads
    )
    expected = (logs / 3 + weight * coarse).masked_fill(candidates < 0, -math.inf)
    scores = select(asked, MEMORY, heads, candidates, coarse)
    torch.testing.assert_close(scores.double(), expected, rtol=1e-4, atol=1e-4)


def memory_pointing_each_its_own_way() -> FactMemory:
    """Three facts of one token whose key is a unit vector of its own."""
    memory = filled_memory()
    for row in range(3):
        memory.length[row] = 1
        memory.keys[:, int(memory.start[row])] = torch.eye(HEAD_DIM)[row]
    return memory


def test_the_fact_that_the_heads_attend_to_comes_first_until_the_coarse_score_outweighs() -> None:
    asked = probe(1)
    for layer in range(LAYERS):
        query = torch.zeros(1, HEADS, 3, HEAD_DIM)
        query[..., 2] = 20.0  # e^5 to the third fact, 1 to the others
        asked.seen[layer] = (query, torch.zeros(1, HEADS, 3), SCALE)
    memory, candidates = memory_pointing_each_its_own_way(), torch.tensor([[0, 1, 2]])
    coarse = torch.tensor([[0.9, 0.5, 0.6]])
    ranked = {
        weight: select(asked, memory, RetrievalHeads(((0, 1),), weight), candidates, coarse)
        .argsort(descending=True)[0]
        .tolist()
        for weight in (0.0, 10.0, 20.0)
    }
    assert ranked[0.0][0] == ranked[10.0][0] == 2
    assert ranked[20.0] == [0, 2, 1]


def test_heads_are_grouped_by_layer() -> None:
    heads = RetrievalHeads(((18, 6), (5, 6), (18, 2)), 10.0)
    assert heads.layers == {18, 5}
    assert heads.by_layer == {18: [6, 2], 5: [6]}
