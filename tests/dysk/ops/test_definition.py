"""Is it the definition? The op against an oracle that was written without it."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dysk.ops import oracle
from tests.dysk.ops.cases import Case, cases, make_case
from tests.dysk.ops.oracle import assert_same


@settings(deadline=None, max_examples=150)
@given(case=cases())
def test_the_op_returns_what_the_loops_return(case: Case) -> None:
    out, lse, selected = case.run()
    want_out, want_lse, want_selected = oracle.expected(case)
    assert torch.equal(selected, want_selected)
    assert_same(out, want_out)
    assert_same(lse, want_lse)


@pytest.mark.parametrize("seed", range(10))
def test_the_ranking_is_that_of_the_loops(seed: int) -> None:
    """Many close decisions, so that a wrong weight between content and prior shows."""
    case = make_case(seed, lengths=(1,) * 12, columns=12, k=4, group=3, temperature=0.7)
    assert torch.equal(case.run()[2], oracle.select(case))


@settings(deadline=None, max_examples=50)
@given(case=cases())
def test_keeping_all_candidates_equals_selecting_as_many_as_there_are(case: Case) -> None:
    """k ≥ C shares one gather among all queries; with a column of padding more, k < C does not."""
    columns = case.candidates.shape[1]
    shared = case.but(k=columns)
    padded = shared.but(
        candidates=torch.nn.functional.pad(case.candidates, (0, 1), value=-1),
        prior=None if case.prior is None else torch.nn.functional.pad(case.prior, (0, 1)),
    )
    for one, other in zip(shared.run(), padded.run(), strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("arena", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("k", [2, 5])
def test_any_mixture_of_types_is_read_with_float32_arithmetic(
    dtype: torch.dtype, arena: torch.dtype, k: int
) -> None:
    case = make_case(3, dim=16, k=k).in_type(dtype, arena)
    out, lse, selected = case.run()
    want_out, want_lse = oracle.attend(case, selected)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    assert (out.dtype, lse.dtype, selected.dtype) == (dtype, wide, torch.int64)
    arithmetic, result = torch.finfo(wide).eps, torch.finfo(dtype).eps
    torch.testing.assert_close(lse.double(), want_lse, rtol=8 * arithmetic, atol=8 * arithmetic)
    tolerance = 8 * arithmetic + result
    torch.testing.assert_close(out.double(), want_out, rtol=tolerance, atol=tolerance)


def test_of_equal_scores_the_earlier_candidate_is_kept() -> None:
    case = make_case(batch=1, columns=6, k=3, prior=False)
    tied = case.but(
        summary=torch.ones_like(case.summary), candidates=torch.tensor([[4, 1, 5, 0, 3, 2]])
    )
    assert (tied.run()[2] == torch.tensor([4, 1, 5])).all()


def test_order_decides_among_hundreds_too() -> None:
    """Long enough that a sort which is not stable would show itself."""
    case = make_case(lengths=(1,) * 300, batch=1, queries=1, columns=300, k=20, prior=False)
    tied = case.but(summary=torch.ones_like(case.summary))
    assert (tied.run()[2] == case.candidates[:, :20]).all()

    ids = case.candidates[:, :20]
    later_ones_are_closed = torch.full((1, 300), -math.inf, dtype=torch.float64)
    later_ones_are_closed[:, :20] = 0
    repeated = tied.but(candidates=ids.repeat(1, 15), prior=later_ones_are_closed)
    _, lse, selected = repeated.run()
    assert (selected == ids).all()
    mass = repeated.mass(selected, lse)
    assert_same(mass.sum(-1), torch.ones_like(lse))


def test_a_repeated_candidate_counts_once_with_its_first_prior() -> None:
    case = make_case(batch=1, k=4)
    once = case.but(candidates=torch.tensor([[2, 0, -1, -1]]), prior=torch.tensor([[0.5, 1, 0, 0]]))
    once = once.in_type(torch.float64)
    twice = once.but(
        candidates=torch.tensor([[2, 0, 2, 0]]),
        prior=torch.tensor([[0.5, 1, 9, -math.inf]], dtype=torch.float64),
    )
    for one, other in zip(once.run(), twice.run(), strict=True):
        assert torch.equal(one, other)


def test_a_prior_of_minus_infinity_closes_a_block() -> None:
    case = make_case(batch=1, k=5)
    assert case.prior is not None
    closed = case.but(prior=case.prior.index_fill(1, torch.tensor([0, 3]), -math.inf))
    without = case.but(candidates=case.candidates.index_fill(1, torch.tensor([0, 3]), -1))
    for k in (1, 3, 5):
        results = closed.but(k=k).run(), without.but(k=k).run()
        for one, other in zip(*results, strict=True):
            assert torch.equal(one, other)
        assert not torch.isin(case.candidates[0, [0, 3]], results[0][2]).any()


def test_a_prior_lifts_a_block_into_the_selection() -> None:
    case = make_case(batch=1, k=1)
    for column, block in enumerate(case.candidates[0].tolist()):
        lifted = torch.zeros_like(case.candidates, dtype=torch.float64)
        lifted[0, column] = 100.0
        assert (case.but(prior=lifted).run()[2] == block).all()


def test_heads_of_a_group_share_their_selection_and_groups_choose_apart() -> None:
    case = make_case(7, batch=1, kv_heads=2, queries=1, k=1, prior=False)
    summary = torch.zeros_like(case.summary)
    summary[0, 0], summary[1, 1] = 10 * case.q[0, :2, 0].mean(0), 10 * case.q[0, 2:, 0].mean(0)
    chosen = case.but(summary=summary, candidates=torch.tensor([[0, 1]])).run()[2]
    assert chosen.flatten().tolist() == [0, 1]


@pytest.mark.parametrize(
    "nothing",
    [
        {"k": 0},
        {"candidates": torch.full((2, 5), -1)},
        {"prior": torch.full((2, 5), -math.inf, dtype=torch.float64)},
        {"block_len": torch.zeros(6, dtype=torch.int32)},
    ],
    ids=["k is 0", "only padding", "all closed", "empty blocks"],
)
def test_a_query_that_reads_nothing_gets_zero_and_minus_infinity(
    nothing: dict[str, object],
) -> None:
    for k in (2, 5):
        out, lse, _ = make_case(k=k).but(**nothing).run()
        assert (out == 0).all()
        assert (lse == -math.inf).all()


def test_an_empty_memory_is_read_as_nothing() -> None:
    for k, columns in ((0, 0), (2, 0), (1, 3), (5, 3)):
        case = make_case(lengths=(), columns=columns, k=k)
        case = case.but(k_arena=case.k_arena[:0], v_arena=case.v_arena[:0])
        out, lse, selected = case.run()
        assert (out == 0).all() and (lse == -math.inf).all() and (selected == -1).all()
        assert selected.shape[-1] == k


def test_a_slot_in_two_selected_blocks_is_read_twice() -> None:
    case = make_case(batch=1, k=2, columns=2, prior=False)
    first, second = case.candidates[0].tolist()
    start, length = case.block_start.clone(), case.block_len.clone()
    start[second], length[second] = start[first], length[first]
    _, twice, _ = case.but(block_start=start, block_len=length).run()
    _, once, _ = case.but(candidates=torch.tensor([[first, -1]])).run()
    assert_same(twice, once + math.log(2))


@pytest.mark.parametrize("where", ["q", "summary"])
def test_nan_in_a_score_never_becomes_an_index(where: str) -> None:
    case = make_case(k=3, columns=5, padding=0.3)
    spoilt = getattr(case, where).clone()
    spoilt[0] = math.nan
    _, _, selected = case.but(**{where: spoilt}).run()
    for row, chosen in zip(case.candidates, selected, strict=True):
        assert torch.isin(chosen[chosen >= 0], row).all()
        eligible = int((row >= 0).sum())
        assert ((chosen >= 0).sum(-1) == min(3, eligible)).all()


def test_logits_far_from_zero_neither_overflow_nor_vanish() -> None:
    case = make_case(k=5).in_type(torch.float32)
    assert case.prior is not None
    for shift in (-1e4, 1e4):
        out, lse, _ = case.but(prior=case.prior + shift).run()
        base_out, base_lse, _ = case.run()
        torch.testing.assert_close(out, base_out, rtol=0, atol=5e-3)
        torch.testing.assert_close(lse, base_lse + shift, rtol=1e-6, atol=0)


@settings(deadline=None, max_examples=60)
@given(case=cases())
def test_block_mass_is_each_blocks_share_of_the_softmax(case: Case) -> None:
    _, lse, selected = case.run()
    mass = case.mass(selected, lse)
    assert mass.shape == (*lse.shape, case.k)
    read_something = (lse > -math.inf).double()
    assert_same(mass.sum(-1), read_something)
    group = case.q.shape[1] // case.k_arena.shape[1]
    for place in range(case.k):
        alone = torch.full_like(selected, -1)
        alone[..., 0] = selected[..., place]
        _, lse_alone = oracle.attend(case, alone)
        share = torch.exp(lse_alone - lse.masked_fill(lse == -math.inf, 0))
        assert_same(mass[..., place], share)
        padding = (selected[..., place] < 0).repeat_interleave(group, dim=1)
        assert (mass[..., place][padding] == 0).all()


@given(extra=st.floats(0.1, 3.0))
@settings(deadline=None, max_examples=10)
def test_block_mass_under_a_larger_lse_is_a_share_of_the_larger_whole(extra: float) -> None:
    case = make_case(k=3)
    _, lse, selected = case.run()
    total = case.mass(selected, lse + extra).sum(-1)
    assert_same(total, torch.full_like(total, math.exp(-extra)))
