"""Does the CPU kernel compute what the reference does, with each instruction set?"""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import Tensor

from dysk.ops import merge_attention, native
from dysk.ops.merge import _merge
from tests.dysk.ops.cases import Case, cases, make_case
from tests.dysk.ops.kernels import assert_computes

pytestmark = pytest.mark.usefixtures("kernel")

FLOATS = (torch.float32, torch.bfloat16, torch.float16)
per_level = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@per_level
@given(case=cases(torch.float32))
def test_any_shape_is_computed_at_any_level(level: str, case: Case) -> None:
    assert_computes(case)


@pytest.mark.parametrize(("query", "arena"), list(product(FLOATS, FLOATS)))
def test_any_mixture_of_types(level: str, query: torch.dtype, arena: torch.dtype) -> None:
    for k in (2, 12):
        case = make_case(1, lengths=(3,) * 12, columns=12, k=k, dim=40, group=3)
        out, lse, _ = assert_computes(case.in_type(query, arena))
        assert (out.dtype, lse.dtype) == (query, torch.float32)


@pytest.mark.parametrize("dim", [1, 7, 8, 15, 16, 17, 31, 64, 72, 80, 128, 200, 264])
def test_any_head_dim(level: str, dim: int) -> None:
    for k, queries, arena in product((2, 8), (1, 9), (torch.bfloat16, torch.float16)):
        case = make_case(2, lengths=(5,) * 8, columns=8, k=k, dim=dim, queries=queries)
        assert_computes(case.in_type(torch.float32, arena))


@pytest.mark.parametrize("group", [1, 2, 3, 4, 5, 8, 33])
def test_any_number_of_heads_in_a_group(level: str, group: int) -> None:
    for k, queries in product((3, 9), (1, 2, 11)):
        case = make_case(3, lengths=(4,) * 9, columns=9, k=k, group=group, queries=queries)
        assert_computes(case.in_type(torch.float32))


def test_blocks_longer_than_a_tile_and_many_of_them(level: str) -> None:
    for k in (2, 7):
        case = make_case(4, lengths=(300, 0, 128, 1, 127, 129, 17), columns=7, k=k, dim=16)
        assert_computes(case.in_type(torch.float32))


@pytest.mark.parametrize("columns", [15, 16, 17, 63, 257, 700, 1100])
def test_long_rows_of_candidates(level: str, columns: int) -> None:
    """Past the tiles of the scoring and past the pieces that threads take."""
    for k, queries in product((1, 8, columns - 1), (1, 6, 9)):
        case = make_case(
            5, batch=1, lengths=(1,) * columns, columns=columns, k=k, dim=8, queries=queries
        )
        assert_computes(case.in_type(torch.float32))


def test_of_equal_scores_the_earlier_is_kept_wherever_they_stand(level: str) -> None:
    for columns, queries in product((5, 40, 300), (1, 3, 9)):
        case = make_case(
            batch=1, lengths=(1,) * columns, columns=columns, k=4, queries=queries, prior=False
        ).in_type(torch.float32)
        tied = case.but(summary=case.summary[:1].expand_as(case.summary).clone())
        assert (tied.run()[2] == case.candidates[:, :4]).all()


def test_repeated_candidates_in_long_rows_count_once(level: str) -> None:
    case = make_case(6, lengths=(2,) * 30, columns=500, k=12, repeats=True, padding=0.3)
    _, _, selected = assert_computes(case.in_type(torch.float32))
    assert all(len(set(ids)) == 12 for ids in selected.flatten(0, 2).tolist())


def test_nan_and_infinity_never_become_an_index(level: str) -> None:
    for spoil, where in product((math.nan, math.inf, -math.inf), ("q", "summary")):
        case = make_case(k=3, columns=5, padding=0.3).in_type(torch.float32)
        spoilt = getattr(case, where).clone()
        spoilt[0] = spoil
        _, _, selected = case.but(**{where: spoilt}).run()
        for row, chosen in zip(case.candidates, selected, strict=True):
            assert torch.isin(chosen[chosen >= 0], row).all()
            assert ((chosen >= 0).sum(-1) == min(3, int((row >= 0).sum()))).all()


def test_nan_that_is_read_spreads(level: str) -> None:
    case = make_case(k=5).in_type(torch.float32)
    spoilt = case.q.clone()
    spoilt[0, 0, 0] = math.nan
    out, lse, _ = case.but(q=spoilt).run()
    assert out[0, 0, 0].isnan().all() and lse[0, 0, 0].isnan()
    assert out[0, 1:].isfinite().all()


def test_long_prompts_are_computed_piece_by_piece_alike(level: str) -> None:
    """Enough scores for several pieces of the workspace; each query alone is one piece."""
    case = make_case(
        7, batch=1, lengths=(1,) * 3000, columns=3000, k=3, dim=4, queries=450, kv_heads=2, group=1
    ).in_type(torch.float32)
    together = case.run()
    for query in (0, 299, 449):
        alone = case.but(q=case.q[:, :, [query]]).run()
        for one, other in zip(together, alone, strict=True):
            assert torch.equal(one[:, :, [query]], other)


@pytest.mark.parametrize("batch", [1, 5])
def test_the_number_of_threads_changes_nothing(batch: int) -> None:
    case = make_case(
        8, batch=batch, lengths=(9,) * 900, columns=900, k=6, dim=64, queries=4
    ).in_type(torch.float32)
    before = torch.get_num_threads()
    try:
        for k in (6, 900):
            torch.set_num_threads(1)
            one = case.but(k=k).run()
            torch.set_num_threads(3)
            many = case.but(k=k).run()
            assert all(torch.equal(x, y) for x, y in zip(one, many, strict=True))
    finally:
        torch.set_num_threads(before)


def test_calls_from_many_threads_do_not_meet() -> None:
    different = [
        make_case(seed, lengths=(4,) * 40, columns=40, k=5, dim=16, dtype=torch.float32)
        for seed in range(8)
    ]
    alone = [case.run() for case in different]
    gate = threading.Barrier(8)

    def run(case: Case) -> list[tuple[Tensor, Tensor, Tensor]]:
        gate.wait()
        return [case.run() for _ in range(20)]

    with ThreadPoolExecutor(8) as pool:
        for want, found in zip(alone, pool.map(run, different), strict=True):
            for result in found:
                assert all(torch.equal(x, y) for x, y in zip(result, want, strict=True))


@pytest.mark.parametrize("dtype", FLOATS)
def test_autocast_and_inference_mode_change_nothing(dtype: torch.dtype) -> None:
    case = make_case(9, k=3).in_type(dtype)
    plain = case.run()
    with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
        inside = case.run()
    assert all(torch.equal(x, y) for x, y in zip(plain, inside, strict=True))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("dim", [3, 64])
def test_merging_is_that_of_the_formula(level: str, dtype: torch.dtype, dim: int) -> None:
    random = torch.Generator().manual_seed(0)
    out_a = torch.randn(2, 5, 3, dim, generator=random).to(dtype).transpose(1, 2)
    out_b = torch.randn(2, 3, 5, dim, generator=random).to(dtype)
    lse_a, lse_b = 9 * torch.randn(2, 2, 3, 5, generator=random)
    lse_a[0, 1], lse_b[1, 2] = -math.inf, -math.inf
    found, want = (f(out_a, lse_a, out_b, lse_b) for f in (merge_attention, _merge))
    torch.testing.assert_close(found[1], want[1])
    torch.testing.assert_close(found[0], want[0])
    assert found[0].stride() == out_a.stride()
    assert torch.equal(found[0][0, 1], out_b[0, 1]) and torch.equal(found[0][1, 2], out_a[1, 2])


def test_opcheck_finds_nothing_in_merging() -> None:
    parts = (torch.randn(1, 2, 3, 4), torch.randn(1, 2, 3), torch.randn(1, 2, 3, 4))
    arguments = (*parts, torch.randn(1, 2, 3))
    tests = ("test_schema", "test_faketensor")  # it is only called where no gradient is wanted
    torch.library.opcheck(torch.ops.dysk.merge_attention, arguments, test_utils=tests)


def test_merging_computes_a_gradient_where_one_is_wanted() -> None:
    out, lse = torch.randn(1, 2, 3, 4, requires_grad=True), torch.randn(1, 2, 3)
    merged, _ = merge_attention(out, lse, out.detach(), lse)
    assert merged.requires_grad
    with torch.no_grad():
        assert not merge_attention(out, lse, out, lse)[0].requires_grad


def test_the_best_instructions_are_in_use() -> None:
    best = native.use_level("avx512")
    assert native.use_level("baseline") == "baseline"
    assert native.use_level("avx512") == best
