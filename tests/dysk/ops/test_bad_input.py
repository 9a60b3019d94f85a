"""What does it refuse, with which words? And what does it leave alone?"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from tests.dysk.ops.cases import make_case

GOOD = make_case(k=2, dtype=torch.float32)
assert GOOD.prior is not None
FAR = 2**62

SHAPES_AND_TYPES: list[tuple[dict[str, Any], str]] = [
    ({"q": GOOD.q[0]}, r"q must be \[B, H, Q, D\]"),
    ({"k_arena": GOOD.k_arena[0]}, r"k_arena must be \[S, KVH, D\]"),
    ({"q": GOOD.q[:, :3]}, "3 heads and k_arena 2"),
    ({"q": GOOD.q[:, :0]}, "0 heads"),
    ({"k_arena": GOOD.k_arena[:, :0]}, "k_arena 0"),
    ({"q": GOOD.q[..., :3]}, "head dim 3 but k_arena has 4"),
    ({"v_arena": GOOD.v_arena[:-1]}, "v_arena must be shaped as k_arena"),
    ({"block_start": GOOD.block_start[:, None]}, r"must both be \[F\]"),
    ({"block_len": GOOD.block_len[:-1]}, r"must both be \[F\]"),
    ({"summary": GOOD.summary[:-1]}, r"summary must be \[F, KVH, D\] = \[6, 2, 4\]"),
    ({"summary": GOOD.summary.flatten(1)}, "summary must be"),
    ({"candidates": GOOD.candidates[0]}, r"candidates must be \[B, C\] with B = 2"),
    ({"candidates": GOOD.candidates[:1]}, r"candidates must be \[B, C\] with B = 2"),
    ({"prior": GOOD.prior[:, :-1]}, "prior must be shaped as candidates"),
    ({"q": GOOD.q.long()}, "q must be floating point"),
    ({"k_arena": GOOD.k_arena.long()}, "k_arena must be floating point"),
    ({"v_arena": GOOD.v_arena.half()}, "must have one type"),
    ({"summary": GOOD.summary.half()}, "must have one type"),
    ({"candidates": GOOD.candidates.int()}, "must be torch.int64"),
    ({"block_start": GOOD.block_start.int()}, "must be torch.int64"),
    ({"block_len": GOOD.block_len.long()}, "block_len must be torch.int32"),
    ({"prior": GOOD.prior.double()}, "prior must be torch.float32 beside torch.float32"),
    ({"q": GOOD.q.double()}, "prior must be torch.float64 beside torch.float64"),
    ({"candidates": GOOD.candidates.to("meta")}, "candidates is on meta but q is on cpu"),
    ({"k": -1}, "k is -1"),
    ({"scale": math.nan}, "scale is nan"),
    ({"scale": math.inf}, "scale is inf"),
    ({"temperature": 0.0}, "temperature is 0.0"),
    ({"temperature": -1.0}, "temperature is -1.0"),
    ({"temperature": math.inf}, "temperature is inf"),
    ({"temperature": math.nan}, "temperature is nan"),
]


@pytest.mark.parametrize(("change", "says"), SHAPES_AND_TYPES)
def test_arguments_that_do_not_fit_are_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        GOOD.but(**change).run()


def one_candidate(block: int) -> torch.Tensor:
    candidates = GOOD.candidates.clone()
    candidates[1, 2] = block
    return candidates


def one_block(column: str, value: int) -> torch.Tensor:
    """Bounds of which only a candidate's is wrong."""
    bounds: torch.Tensor = getattr(GOOD, column).clone()
    bounds[GOOD.candidates[1, 2]] = value
    return bounds


SLOTS = GOOD.k_arena.shape[0]
WILD: list[tuple[dict[str, Any], str]] = [
    ({"candidates": one_candidate(6)}, "candidate 6 names no block: there are 6 blocks"),
    ({"candidates": one_candidate(-2)}, "candidate -2 names no block"),
    ({"candidates": one_candidate(FAR)}, "names no block"),
    ({"candidates": one_candidate(-FAR)}, "names no block"),
    ({"block_start": one_block("block_start", -1)}, "starts at slot -1"),
    ({"block_start": one_block("block_start", SLOTS)}, f"not lie in an arena of {SLOTS} slots"),
    ({"block_start": one_block("block_start", FAR * 2 - 1)}, "does not lie in an arena"),
    ({"block_len": one_block("block_len", -1)}, "with length -1"),
    ({"block_len": one_block("block_len", 2**31 - 1)}, "with length 2147483647"),
]


@pytest.mark.parametrize("k", [2, 5])
@pytest.mark.parametrize(("change", "says"), WILD)
def test_an_index_out_of_range_is_an_error_and_never_a_read(
    change: dict[str, Any], says: str, k: int
) -> None:
    with pytest.raises(IndexError, match=says):
        GOOD.but(k=k, **change).run()


@pytest.mark.parametrize(("change", "says"), WILD)
def test_the_operator_itself_looks_too(change: dict[str, Any], says: str) -> None:
    with pytest.raises(IndexError, match=says):
        torch.ops.dysk.sparse_knowledge_attention(*GOOD.but(**change).arguments)


def test_in_an_empty_memory_only_padding_is_a_candidate() -> None:
    empty = make_case(lengths=(), columns=2, k=1)
    with pytest.raises(IndexError, match="there are 0 blocks"):
        empty.but(candidates=torch.zeros_like(empty.candidates)).run()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_prior_without_a_finite_upper_bound_is_refused(value: float) -> None:
    prior = torch.zeros_like(GOOD.candidates, dtype=torch.float32)
    prior[1, 2] = value
    with pytest.raises(ValueError, match=r"prior holds NaN or \+inf"):
        GOOD.but(prior=prior).run()


def test_a_block_that_ends_with_the_arena_is_inside() -> None:
    last = one_block("block_start", SLOTS - int(GOOD.block_len[GOOD.candidates[1, 2]]))
    arena = GOOD.k_arena.nan_to_num()
    out, _, _ = GOOD.but(block_start=last, k_arena=arena, v_arena=arena, k=5).run()
    assert out.isfinite().all()


def test_wrong_bounds_of_blocks_that_are_no_candidate_do_not_matter() -> None:
    case = make_case(k=2, batch=1, prior=False).but(candidates=torch.tensor([[-1, 3, 1, 4]]))
    others = torch.tensor([True, False, True, False, False, True])
    broken = case.but(
        block_start=case.block_start.masked_fill(others, -5),
        block_len=case.block_len.masked_fill(others, 10_000),
    )
    for one, other in zip(case.run(), broken.run(), strict=True):
        assert torch.equal(one, other)


def test_trusted_callers_get_the_same_answer_unchecked() -> None:
    unchecked = GOOD.run(check_indices=False)
    for one, other in zip(unchecked, GOOD.run(), strict=True):
        assert torch.equal(one, other)


def test_no_argument_is_changed() -> None:
    for k in (2, 5):
        before = {name: x.clone() for name, x in vars(GOOD).items() if torch.is_tensor(x)}
        GOOD.but(k=k).run()
        for name, x in before.items():
            torch.testing.assert_close(getattr(GOOD, name), x, rtol=0, atol=0, equal_nan=True)
