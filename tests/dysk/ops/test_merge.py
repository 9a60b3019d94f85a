"""Does the merge keep its promises where a part is empty, narrow or differentiated?"""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dysk.ops import merge_attention
from tests.dysk.ops.oracle import assert_same

Part = tuple[Tensor, Tensor]


def part(
    seed: int, shape: tuple[int, ...] = (2, 3, 4, 5), dtype: torch.dtype = torch.float32
) -> Part:
    random = torch.Generator().manual_seed(seed)
    out = torch.randn(*shape, generator=random, dtype=torch.float64).to(dtype)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    return out, 3 * torch.randn(*shape[:-1], generator=random, dtype=torch.float64).to(wide)


def bits(x: Tensor) -> Tensor:
    """The bytes, which tell −0 from 0."""
    return x.contiguous().view(torch.uint8)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("left_out", [0.0, math.nan, math.inf])
@pytest.mark.parametrize("empty_first", [False, True])
def test_an_empty_part_leaves_the_other_bit_for_bit(
    dtype: torch.dtype, left_out: float, empty_first: bool
) -> None:
    out, lse = part(1, dtype=dtype)
    out[0, 0, 0] = -0.0
    empty = torch.full_like(out, left_out), torch.full_like(lse, -math.inf)
    parts = (*empty, out, lse) if empty_first else (out, lse, *empty)
    merged, merged_lse = merge_attention(*parts)
    assert torch.equal(bits(merged), bits(out))
    assert torch.equal(bits(merged_lse), bits(lse))
    assert merged.dtype == dtype


def test_two_empty_parts_make_an_empty_whole() -> None:
    out, lse = part(1)
    nothing = torch.full_like(out, math.nan), torch.full_like(lse, -math.inf)
    merged, merged_lse = merge_attention(*nothing, *nothing)
    assert (merged == 0).all()
    assert (merged_lse == -math.inf).all()


def test_emptiness_is_decided_for_each_query() -> None:
    (out_a, lse_a), (out_b, lse_b) = part(1), part(2)
    lse_a[0], lse_b[:, 1] = -math.inf, -math.inf
    merged, merged_lse = merge_attention(out_a, lse_a, out_b, lse_b)
    assert torch.equal(merged[0, 0], out_b[0, 0])
    assert torch.equal(merged[1, 1], out_a[1, 1])
    assert (merged[0, 1] == 0).all()
    expected = torch.logaddexp(lse_a[1, 0], lse_b[1, 0])
    torch.testing.assert_close(merged_lse[1, 0], expected)


@settings(deadline=None)
@given(seed=st.integers(0, 1000), shift=st.floats(-300, 300))
def test_the_shares_are_those_of_a_softmax_over_the_two_parts(seed: int, shift: float) -> None:
    out_a, lse_a = part(seed, dtype=torch.float64)
    out_b, lse_b = part(seed + 1, dtype=torch.float64)
    lse_b = lse_b + shift
    merged, merged_lse = merge_attention(out_a, lse_a, out_b, lse_b)
    share = torch.stack([lse_a, lse_b]).softmax(0)[..., None]
    expected = share[0] * out_a + share[1] * out_b
    assert_same(merged, expected)
    both = torch.stack([lse_a, lse_b]).logsumexp(0)
    assert_same(merged_lse, both)


@settings(deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_the_parts_does_not_matter(seed: int) -> None:
    a, b = part(seed), part(seed + 1)
    for one, other in zip(merge_attention(*a, *b), merge_attention(*b, *a), strict=True):
        assert torch.equal(one, other)


def test_merging_equal_parts_returns_them() -> None:
    out, lse = part(1)
    merged, merged_lse = merge_attention(out, lse, out, lse)
    assert torch.equal(merged, out)
    torch.testing.assert_close(merged_lse, lse + math.log(2))


def test_the_gradient_is_right_where_both_parts_read_something() -> None:
    a, b = part(1, (2, 3), torch.float64), part(2, (2, 3), torch.float64)
    assert torch.autograd.gradcheck(merge_attention, [x.requires_grad_() for x in (*a, *b)])


@pytest.mark.parametrize("empty", ["a", "b", "both"])
def test_an_empty_part_gets_no_gradient_and_gives_no_nan(empty: str) -> None:
    (out_a, lse_a), (out_b, lse_b) = part(1), part(2)
    for name, (out, lse) in {"a": (out_a, lse_a), "b": (out_b, lse_b)}.items():
        if empty in (name, "both"):
            out.fill_(math.nan)
            lse.fill_(-math.inf)
        out.requires_grad_()
        lse.requires_grad_()
    merged, merged_lse = merge_attention(out_a, lse_a, out_b, lse_b)
    torch.autograd.backward(merged.sum() + merged_lse.sum())
    gradients = {"a": (out_a.grad, lse_a.grad), "b": (out_b.grad, lse_b.grad)}
    for name, (grad_out, grad_lse) in gradients.items():
        assert grad_out is not None and grad_lse is not None
        assert grad_lse.isfinite().all()
        assert (grad_out == (0 if empty in (name, "both") else 1)).all()


def test_a_gate_added_to_the_second_lse_learns() -> None:
    (out_a, lse_a), (out_b, lse_b) = part(1), part(2)
    gate = torch.zeros(3, 1, requires_grad=True)
    merged, _ = merge_attention(out_a, lse_a, out_b, lse_b + gate)
    (gradient,) = torch.autograd.grad(merged.sum(), gate)
    assert (gradient != 0).all()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a, b: (a[0][..., :2], a[1], *b), "out_a and out_b"),
        (lambda a, b: (a[0].double(), a[1], *b), "out_a and out_b"),
        (lambda a, b: (*a, b[0], b[1][..., :1]), "lse_a and lse_b"),
        (lambda a, b: (*a, b[0], b[1].double()), "lse_a and lse_b"),
        (lambda a, b: (a[0], a[1][..., None], b[0], b[1][..., None]), "lse_a and lse_b"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change: object, says: str) -> None:
    assert callable(change)
    with pytest.raises(ValueError, match=says):
        merge_attention(*change(part(1), part(2)))
