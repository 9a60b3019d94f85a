"""Self-attention that also tells its log-sum-exp: the bits of sdpa, the sums of float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from dysk.attention.selfattention import self_attention

SCALE = 0.3


def heads(
    *, queries: int = 5, length: int = 5, group: int = 3, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    """query [2, 2·group, Q, 8], key and value [2, 2, L, 8]."""
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(2, 2 * group, queries, 8, generator=generator).to(dtype),
        torch.randn(2, 2, length, 8, generator=generator).to(dtype),
        torch.randn(2, 2, length, 8, generator=generator).to(dtype),
    )


def some_mask(queries: int, length: int, seed: int = 0) -> Tensor:
    """bool[2, 1, Q, L] with at least one key for each query."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(2, 1, queries, length, generator=generator) > 0.5
    mask[..., 0] |= ~mask.any(-1)
    return mask


def expected(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Output and lse in float64, from the definition; a bool mask, or None for causal."""
    queries, length = query.shape[2], key.shape[2]
    if mask is None:
        mask = torch.ones(queries, length, dtype=torch.bool)
        mask = mask.tril() if queries > 1 else mask
    group = query.shape[1] // key.shape[1]
    key, value = (x.double().repeat_interleave(group, 1) for x in (key, value))
    scores = query.double() @ key.mT * SCALE
    scores = scores.masked_fill(~mask[..., :length], -math.inf)
    return scores.softmax(-1) @ value, scores.logsumexp(-1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("group", [1, 3])
@pytest.mark.parametrize("masked", [False, True], ids=["causal", "masked"])
def test_the_output_has_the_bits_of_sdpa(masked: bool, group: int, dtype: torch.dtype) -> None:
    query, key, value = heads(group=group, dtype=dtype)
    mask = some_mask(5, 5) if masked else None
    out, lse = self_attention(query, key, value, mask, SCALE)
    plain = scaled_dot_product_attention(
        query,
        key.repeat_interleave(group, 1),
        value.repeat_interleave(group, 1),
        attn_mask=mask,
        is_causal=mask is None,
        scale=SCALE,
    )
    assert torch.equal(out, plain)
    assert lse.dtype == torch.promote_types(dtype, torch.float32)


@pytest.mark.parametrize("needs_grad", [False, True], ids=["fused", "explicit"])
@given(
    queries=st.integers(1, 6),
    more=st.integers(0, 4),
    group=st.integers(1, 3),
    masked=st.booleans(),
    unwritten=st.integers(0, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_output_and_lse_are_those_of_the_definition(
    needs_grad: bool, queries: int, more: int, group: int, masked: bool, unwritten: int, seed: int
) -> None:
    """``more``: keys of a cache before the queries, or the empty end of a static cache."""
    query, key, value = heads(queries=queries, length=queries + more, group=group)
    # A mask may be longer than the keys: it is made for the whole of a static cache.
    mask = some_mask(queries, queries + more + unwritten, seed) if masked else None
    if mask is not None:
        mask[..., 0] = True
    query.requires_grad_(needs_grad)
    out, lse = self_attention(query, key, value, mask, SCALE)
    assert lse.requires_grad == needs_grad
    for result, exact in zip((out, lse), expected(query, key, value, mask), strict=True):
        torch.testing.assert_close(result.double(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("needs_grad", [False, True], ids=["fused", "explicit"])
@pytest.mark.parametrize("least", [-math.inf, torch.finfo(torch.float32).min])
def test_a_mask_of_numbers_is_added(least: float, needs_grad: bool) -> None:
    query, key, value = heads()
    query.requires_grad_(needs_grad)
    mask = some_mask(5, 5)
    added = torch.zeros(mask.shape).masked_fill(~mask, least)
    as_bool = self_attention(query, key, value, mask, SCALE)
    as_numbers = self_attention(query, key, value, added, SCALE)
    assert torch.equal(as_numbers[0], as_bool[0])
    assert torch.equal(as_numbers[1], as_bool[1])
    shifted = self_attention(query, key, value, added + 0.5, SCALE)
    torch.testing.assert_close(shifted[1], as_bool[1] + 0.5)


@pytest.mark.parametrize("needs_grad", [False, True], ids=["fused", "explicit"])
@pytest.mark.parametrize("dtype", [torch.bool, torch.float32], ids=str)
def test_a_padding_row_sees_nothing_and_says_so_without_nan(
    dtype: torch.dtype, needs_grad: bool
) -> None:
    query, key, value = heads()
    mask = some_mask(5, 5)
    mask[1, :, :2] = False
    given_mask = mask
    if dtype != torch.bool:
        given_mask = torch.zeros(mask.shape).masked_fill(~mask, -math.inf)
    query.requires_grad_(needs_grad)
    out, lse = self_attention(query, key, value, given_mask, SCALE)
    assert out.isfinite().all()
    # so low that any fact outweighs it, and not NaN when another lse is added to it
    assert (lse[1, :, :2] < -1e30).all()
    exact_out, exact_lse = expected(query, key, value, mask)
    torch.testing.assert_close(out[0].double(), exact_out[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(out[1, :, 2:].double(), exact_out[1, :, 2:], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(lse[1, :, 2:].double(), exact_lse[1, :, 2:], rtol=1e-5, atol=1e-5)
    if needs_grad:
        total = out.sum() + lse[mask.any(-1).expand_as(lse)].sum()
        assert torch.autograd.grad(total, query)[0].isfinite().all()


@pytest.mark.parametrize("masked", [False, True], ids=["causal", "masked"])
def test_gradients_flow_from_output_and_lse(masked: bool) -> None:
    inputs = [x.requires_grad_() for x in heads(queries=3, length=3, dtype=torch.float64)]
    mask = some_mask(3, 3) if masked else None

    def both(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        return self_attention(query, key, value, mask, SCALE)

    torch.autograd.gradcheck(both, inputs)


def test_without_gradients_to_keep_the_fused_kernel_gives_the_explicit_result() -> None:
    query, key, value = heads(dtype=torch.float64)
    fused = self_attention(query, key, value, None, SCALE)
    explicit = self_attention(query.requires_grad_(), key, value, None, SCALE)
    with torch.no_grad():
        again = self_attention(query, key, value, None, SCALE)
    for one, other, third in zip(fused, explicit, again, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
        assert torch.equal(one, third)
