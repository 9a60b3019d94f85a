"""Is the gradient right, through everything that it claims to flow through?"""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from tests.dysk.ops.cases import Case, cases, make_case
from tests.dysk.ops.oracle import assert_same

DIFFERENTIABLE = ("q", "k_arena", "v_arena", "prior")


def clean(case: Case) -> Case:
    """No NaN in the arena: gradcheck probes every element."""
    return case.but(k_arena=case.k_arena.nan_to_num(), v_arena=case.v_arena.nan_to_num())


def gradients(case: Case, weigh: Tensor) -> dict[str, Tensor]:
    """Of a weighted sum of out, and of lse where finite, to all that is differentiable."""
    leaves = {
        name: getattr(case, name).detach().clone().requires_grad_()
        for name in DIFFERENTIABLE
        if getattr(case, name) is not None
    }
    out, lse, _ = case.but(**leaves).run()
    loss = (out.double() * weigh).sum() + lse[lse > -math.inf].double().sin().sum()
    found = torch.autograd.grad(loss, list(leaves.values()))
    return dict(zip(leaves, found, strict=True))


@pytest.mark.parametrize("with_prior", [False, True])
@pytest.mark.parametrize("k", [1, 3, 5, 7])
def test_gradcheck_holds_for_out_and_lse(k: int, with_prior: bool) -> None:
    case = clean(make_case(11, k=k, queries=2, dim=3, prior=with_prior, temperature=0.8))
    names = [name for name in DIFFERENTIABLE if getattr(case, name) is not None]

    def both(*leaves: Tensor) -> tuple[Tensor, Tensor]:
        out, lse, _ = case.but(**dict(zip(names, leaves, strict=True))).run()
        return out, lse

    leaves = [getattr(case, name).requires_grad_() for name in names]
    assert torch.autograd.gradcheck(both, leaves)


@settings(deadline=None, max_examples=60)
@given(case=cases())
def test_the_gradient_is_that_of_the_loops_in_autograd(case: Case) -> None:
    """Against differentiating plain softmax attention over what was selected, on odd shapes."""
    selected = case.run()[2]
    random = torch.Generator().manual_seed(0)
    weigh = torch.randn(case.q.shape, generator=random, dtype=torch.float64)
    found = gradients(case, weigh)

    leaves = {name: getattr(case, name).detach().clone().requires_grad_() for name in found}
    out, lse = attend_differentiably(case.but(**leaves), selected)
    loss = (out * weigh).sum() + lse[lse > -math.inf].sin().sum()
    if not loss.requires_grad:
        assert all((x == 0).all() for x in found.values())
        return
    wanted = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)
    for name, want in zip(leaves, wanted, strict=True):
        assert_same(found[name], want)


def attend_differentiably(case: Case, selected: Tensor) -> tuple[Tensor, Tensor]:
    """The loops of the oracle's ``attend``, in operations that autograd follows."""
    batch, heads, queries, dim = case.q.shape
    group = heads // case.k_arena.shape[1]
    out, lse = [], []
    for b in range(batch):
        row = case.candidates[b].tolist()
        for h in range(heads):
            for token in range(queries):
                logits, values = [case.q.new_full((1,), -math.inf)], [case.q.new_zeros(1, dim)]
                for block in selected[b, h // group, token].tolist():
                    if block < 0 or case.block_len[block] == 0:
                        continue
                    first = int(case.block_start[block])
                    slots = slice(first, first + int(case.block_len[block]))
                    dots = case.k_arena[slots, h // group] @ case.q[b, h, token]
                    bias = 0 if case.prior is None else case.prior[b, row.index(block)]
                    logits.append(dots * case.scale / case.temperature + bias)
                    values.append(case.v_arena[slots, h // group])
                if len(logits) == 1:
                    out.append(case.q.new_zeros(dim))
                    lse.append(case.q.new_full((), -math.inf))
                    continue
                read = torch.cat(logits[1:])
                out.append(read.softmax(0) @ torch.cat(values[1:]))
                lse.append(read.logsumexp(0))
    if not out:
        return torch.zeros_like(case.q), case.q.new_zeros(case.q.shape[:3])
    return torch.stack(out).view(case.q.shape), torch.stack(lse).view(case.q.shape[:3])


def test_an_empty_arena_has_empty_gradients() -> None:
    for lengths in ((), (0, 0, 0)):
        for k in (1, 3):
            case = make_case(lengths=lengths, columns=3, k=k)
            start = torch.zeros_like(case.block_start)
            case = case.but(k_arena=case.k_arena[:0], v_arena=case.v_arena[:0], block_start=start)
            found = gradients(case, torch.ones_like(case.q))
            assert (found["q"] == 0).all()
            assert (found["prior"] == 0).all()
            assert found["k_arena"].shape == found["v_arena"].shape == (0, 2, 4)


@pytest.mark.parametrize("k", [2, 5])
def test_nan_outside_the_selected_blocks_does_not_reach_the_gradient(k: int) -> None:
    case = make_case(12, k=k)
    assert case.k_arena.isnan().any()
    for name, gradient in gradients(case, torch.ones_like(case.q)).items():
        assert gradient.isfinite().all(), name


def test_slots_that_no_query_read_get_no_gradient() -> None:
    case = make_case(13, k=1, batch=1, queries=1)
    selected = case.run()[2]
    found = gradients(case, torch.ones_like(case.q))
    for head in range(2):
        first = int(case.block_start[selected[0, head, 0, 0]])
        read = torch.zeros(case.k_arena.shape[0], dtype=torch.bool)
        read[first : first + int(case.block_len[selected[0, head, 0, 0]])] = True
        for name in ("k_arena", "v_arena"):
            assert (found[name][~read, head] == 0).all()
            assert (found[name][read, head] != 0).any()


def test_a_slot_read_by_many_rows_sums_their_gradients() -> None:
    case = make_case(14, batch=1, k=5)
    twice = case.but(
        q=case.q.expand(2, -1, -1, -1),
        candidates=case.candidates.expand(2, -1),
        prior=None if case.prior is None else case.prior.expand(2, -1),
    )
    once = gradients(case, torch.ones_like(case.q))
    both = gradients(twice, torch.ones_like(twice.q))
    for name in ("k_arena", "v_arena"):
        assert_same(both[name], 2 * once[name])


@pytest.mark.parametrize(("column", "value"), [("candidates", -1), ("prior", -math.inf)])
def test_padding_and_closed_candidates_get_no_gradient_in_the_prior(
    column: str, value: float
) -> None:
    case = make_case(15, k=4)
    case = case.but(**{column: getattr(case, column).index_fill(1, torch.tensor([2]), value)})
    gradient = gradients(case, torch.ones_like(case.q))["prior"]
    assert (gradient[:, 2] == 0).all()
    assert (gradient[:, [0, 1, 3]] != 0).any()


@pytest.mark.parametrize("wanted", DIFFERENTIABLE)
def test_each_gradient_can_be_had_alone(wanted: str) -> None:
    case = make_case(16, k=2)
    everything = gradients(case, torch.ones_like(case.q))
    leaf = getattr(case, wanted).clone().requires_grad_()
    out, lse, _ = case.but(**{wanted: leaf}).run()
    (alone,) = torch.autograd.grad(out.sum() + lse.sin().sum(), leaf)
    assert_same(alone, everything[wanted])


def test_the_selection_is_a_constant() -> None:
    case = make_case(k=2)
    summary = case.summary.clone().requires_grad_()
    q = case.q.clone().requires_grad_()
    out, _, selected = case.but(q=q, summary=summary).run()
    assert not selected.requires_grad
    (gradient,) = torch.autograd.grad(out.sum(), summary, allow_unused=True)
    assert gradient is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_narrow_gradients_follow_the_float64_ones(dtype: torch.dtype) -> None:
    narrow = clean(make_case(17, k=5, dim=8)).in_type(dtype)
    wide = narrow.in_type(torch.float64)
    weigh = torch.ones_like(wide.q)
    found, want = gradients(narrow, weigh), gradients(wide, weigh)
    for name, gradient in found.items():
        assert gradient.dtype == getattr(narrow, name).dtype
        tolerance = 8 * torch.finfo(gradient.dtype).eps * float(want[name].abs().max())
        torch.testing.assert_close(gradient.double(), want[name], rtol=0, atol=tolerance)


def test_gradients_are_not_recorded_when_nothing_asks_for_them() -> None:
    case = make_case(k=2)
    out, lse, _ = case.run()
    assert not out.requires_grad
    assert not lse.requires_grad
