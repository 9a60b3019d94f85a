"""Do the Triton kernels compute the definition? Against loops over float64 numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings

from dysk.ops import reference
from tests.dysk.ops import oracle
from tests.dysk.ops.cases import Case, cases, make_case
from tests.dysk.ops.test_registration import spread_out
from tests.dysk.ops.triton_here import kernels_at_hand, run, triton_launch

LONG = (20, 1, 37, 0, 16, 2, 33, 5)
"""Blocks that take several steps of a program, one step and none."""


@pytest.fixture(autouse=True, scope="module")
def kernels() -> Iterator[None]:
    with kernels_at_hand():
        yield


def assert_is_the_definition(case: Case) -> None:
    """The blocks that the loops select, and what they read of them, as exactly as types allow."""
    out, lse, selected = run(case)
    assert torch.equal(selected, oracle.select(case))
    want_out, want_lse = oracle.attend(case, selected)
    assert (out.dtype, lse.dtype, selected.dtype) == (case.q.dtype, torch.float32, torch.int64)
    arithmetic = 16 * torch.finfo(torch.float32).eps
    torch.testing.assert_close(lse.double(), want_lse, rtol=arithmetic, atol=arithmetic)
    # 16-bit types lose digits once, when out is written; the interpreter cuts bfloat16 off there.
    rounding = torch.finfo(case.q.dtype).eps * (1 if case.q.dtype == torch.bfloat16 else 0.5)
    torch.testing.assert_close(out.double(), want_out, rtol=arithmetic + rounding, atol=arithmetic)


@settings(deadline=None, max_examples=15)
@given(case=cases(dtype=torch.float32))
def test_the_kernels_return_what_the_loops_return(case: Case) -> None:
    assert_is_the_definition(case)


@pytest.mark.parametrize("k", [3, 8])
@pytest.mark.parametrize(
    ("query", "arena"),
    [
        (torch.float32, torch.float32),
        (torch.float16, torch.float16),
        (torch.bfloat16, torch.bfloat16),
        (torch.float32, torch.bfloat16),
        (torch.bfloat16, torch.float16),
        (torch.float16, torch.float64),
    ],
    ids=str,
)
def test_any_mixture_of_types_is_read_with_float32_arithmetic(
    query: torch.dtype, arena: torch.dtype, k: int
) -> None:
    case = make_case(1, batch=1, lengths=LONG, columns=8, k=k, dim=20, group=3, queries=2)
    assert_is_the_definition(case.in_type(query, arena))


@pytest.mark.parametrize("entry", range(len(triton_launch.TABLE)))
@pytest.mark.parametrize("k", [3, 8])
def test_every_entry_of_the_table_computes_the_same(
    entry: int, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton_launch.attend, "configs", [triton_launch.TABLE[entry]])
    case = make_case(2, batch=1, lengths=LONG, columns=8, k=k, dim=16, dtype=torch.float32)
    assert_is_the_definition(case)


@pytest.mark.parametrize("k", [3, 40])
def test_columns_queries_and_scores_are_taken_in_parts(
    k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton_launch, "ELIGIBLE_TILE", 16)
    monkeypatch.setattr(triton_launch, "SELECT_TILE", 16)
    monkeypatch.setattr(triton_launch, "SCORE_TILE", {"QUERIES": 16, "COLUMNS": 16})
    monkeypatch.setattr(triton_launch, "ROWS_AT_MOST", {False: 8})
    monkeypatch.setattr(triton_launch, "SCORES_AT_MOST", 40 * 18)
    assert_is_the_definition(
        make_case(
            4,
            batch=1,
            kv_heads=1,
            queries=20,
            lengths=(1,) * 30,
            columns=40,
            repeats=True,
            padding=0.2,
            k=k,
            dtype=torch.float32,
        )
    )


def test_of_equal_scores_the_earlier_candidate_is_kept() -> None:
    case = make_case(batch=1, lengths=(1,) * 40, columns=40, k=9, prior=False, dtype=torch.float32)
    tied = case.but(summary=torch.ones_like(case.summary))
    assert (run(tied)[2] == case.candidates[:, :9]).all()


def test_minus_zero_equals_zero() -> None:
    """Scores so small that they round to zero, from below and from above."""
    case = make_case(batch=1, columns=6, k=3, prior=False, dtype=torch.float32)
    tiny = torch.full_like(case.summary, 1e-38)
    tiny[case.candidates[0, ::2]] *= -1
    tied = case.but(q=case.q.abs(), summary=tiny, scale=1e-12)
    assert (run(tied)[2] == case.candidates[:, :3]).all()


def test_a_closed_block_and_a_repetition_of_it_are_not_read() -> None:
    case = make_case(batch=1, k=3, dtype=torch.float32).but(
        candidates=torch.tensor([[2, 0, 2, 1, 1]]),
        prior=torch.tensor([[-math.inf, 0.5, 9.0, -1.0, 9.0]]),
    )
    assert_is_the_definition(case)
    assert (run(case)[2] == torch.tensor([0, 1, -1])).all()


@pytest.mark.parametrize("k", [2, 5])
def test_strides_do_not_matter(k: int) -> None:
    case = make_case(k=k, queries=2, dtype=torch.float32)
    tensors = {n: x for n, x in vars(case).items() if isinstance(x, torch.Tensor)}
    for one, other in zip(
        run(case.but(**{n: spread_out(x) for n, x in tensors.items()})), run(case), strict=True
    ):
        torch.testing.assert_close(one, other)
        assert one.is_contiguous()


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("where", ["q", "summary", "k_arena", "v_arena"])
def test_nan_that_is_read_spreads_as_in_the_reference(where: str, sign: float) -> None:
    case = make_case(6, batch=1, queries=2, k=2, dtype=torch.float32)
    spoilt = getattr(case, where).clone()
    # the last candidate, so that a NaN which did not rank first would not be kept
    block = int(case.candidates[0, -1])
    place = {"q": (0, 1, 0, 2), "summary": (block, 0, 2)}
    spoilt[place.get(where, (int(case.block_start[block]), 0, 2))] = math.copysign(math.nan, sign)
    case = case.but(**{where: spoilt})
    out, lse, selected = run(case)
    want_out, want_lse, want_selected = reference.sparse_knowledge_attention(*case.arguments)
    assert torch.equal(selected, want_selected)
    torch.testing.assert_close(out, want_out, equal_nan=True)
    torch.testing.assert_close(lse, want_lse, equal_nan=True)
    assert where != "summary" or (selected[0, 0] == block).any(-1).all()


def test_a_gate_of_large_numbers_does_not_overflow() -> None:
    case = make_case(batch=1, k=5, dtype=torch.float32)
    assert case.prior is not None
    for shift in (1e4, -1e4):
        out, lse, _ = run(case.but(prior=case.prior + shift))
        torch.testing.assert_close(out, run(case)[0], rtol=0, atol=5e-3)
        torch.testing.assert_close(lse, run(case)[1] + shift, rtol=1e-6, atol=1e-2)
