"""Is it a good citizen of torch: the dispatcher, the compiler, inference mode, strides, other
people's NaN?"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dysk.ops.cases import Case, make_case
from tests.dysk.ops.oracle import assert_same

ROOT = Path(__file__).parents[3]


def in_a_fresh_process(program: str, **environment: str) -> str:
    """Run a program that has imported nothing yet; its output."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("prior", [False, True])
@pytest.mark.parametrize("k", [0, 2, 5, 7])
def test_opcheck_finds_nothing(k: int, prior: bool, requires_grad: bool) -> None:
    case = make_case(k=k, prior=prior, padding=0.2, dtype=torch.float32)
    arguments = [
        x.nan_to_num().requires_grad_(requires_grad)
        if isinstance(x, torch.Tensor) and x.is_floating_point()
        else x
        for x in case.arguments
    ]
    torch.library.opcheck(torch.ops.dysk.sparse_knowledge_attention, tuple(arguments))


@pytest.mark.parametrize("need_arenas", [False, True])
@pytest.mark.parametrize("need_prior", [False, True])
def test_opcheck_finds_nothing_in_the_backward_operator(
    need_arenas: bool, need_prior: bool
) -> None:
    case = make_case(k=2, dtype=torch.float32)
    out, lse, selected = case.run()
    arguments = (
        *(torch.ones_like(out), torch.ones_like(lse)),
        *(case.q, case.k_arena, case.v_arena, case.block_start, case.block_len, case.candidates),
        *(case.prior, lse, selected, case.scale, case.temperature, need_arenas, need_prior),
    )
    operator = torch.ops.dysk.sparse_knowledge_attention_backward
    torch.library.opcheck(operator, arguments)


def test_shapes_and_types_are_known_without_running() -> None:
    case = make_case(k=7, prior=False).in_type(torch.bfloat16)
    on_meta = {n: x.to("meta") for n, x in vars(case).items() if isinstance(x, torch.Tensor)}
    for real, predicted in zip(case.run(), case.but(**on_meta).run(), strict=True):
        assert (real.shape, real.dtype) == (predicted.shape, predicted.dtype)
        assert real.stride() == predicted.stride()


def test_importing_the_op_pulls_no_retrieval_and_no_model_library() -> None:
    loaded = in_a_fresh_process(
        """
        import sys
        import dysk.ops
        print(*{"faiss", "transformers", "fastapi"} & set(sys.modules))
        """
    )
    assert loaded.strip() == ""


COMPILED = """
    import torch
    from dysk.ops import merge_attention, sparse_knowledge_attention
    from tests.dysk.ops.cases import make_case

    case = make_case(k={k}, dtype=torch.float32)

    def layer(q, prior):
        out, lse, selected = sparse_knowledge_attention(
            q, case.k_arena, case.v_arena, case.summary, case.block_start, case.block_len,
            case.candidates, prior, case.k, case.scale, 0.8,
        )
        merged, total = merge_attention(q * 2, lse * 0, out, lse)
        return merged.tanh(), total, selected

    def run(function):
        q, prior = (x.clone().requires_grad_() for x in (case.q, case.prior))
        merged, total, selected = function(q, prior)
        return merged, total, selected, *torch.autograd.grad(merged.sum() + total.sum(), (q, prior))

    compiled = torch.compile(layer, fullgraph=True, backend="{backend}")
    for one, other in zip(run(layer), run(compiled), strict=True):
        torch.testing.assert_close(one, other)

    case = case.but(candidates=case.candidates + 1000)
    try:
        torch.compile(layer, fullgraph=True, backend="{backend}")(case.q, case.prior)
    except IndexError as error:
        print(error)
"""


def test_it_compiles_into_one_graph_and_still_refuses_wild_indices() -> None:
    said = in_a_fresh_process(COMPILED.format(k=2, backend="aot_eager"))
    assert "names no block" in said


@pytest.mark.slow
@pytest.mark.skipif(" " in torch.__file__, reason="inductor cannot link from a path with a space")
@pytest.mark.parametrize("k", [2, 5])
def test_it_compiles_to_native_code(k: int, tmp_path: Path) -> None:
    said = in_a_fresh_process(
        COMPILED.format(k=k, backend="inductor"), TORCHINDUCTOR_CACHE_DIR=str(tmp_path)
    )
    assert "names no block" in said


@pytest.mark.parametrize("k", [2, 5])
def test_inference_mode_changes_nothing(k: int) -> None:
    case = make_case(k=k)
    with torch.inference_mode():
        inferred = case.run()
    for one, other in zip(inferred, case.run(), strict=True):
        assert torch.equal(one, other)


def spread_out(x: torch.Tensor) -> torch.Tensor:
    """The same values, every second element of memory, dimensions stored in reverse."""
    order = tuple(reversed(range(x.dim())))
    roomy = torch.zeros(*x.permute(order).shape, 2, dtype=x.dtype)
    roomy[..., 0] = x.permute(order)
    return roomy[..., 0].permute(order)


@pytest.mark.parametrize("k", [2, 5])
def test_strides_do_not_matter(k: int) -> None:
    case = make_case(k=k, queries=2)
    tensors = {n: x for n, x in vars(case).items() if isinstance(x, torch.Tensor)}
    spread = case.but(**{n: spread_out(x) for n, x in tensors.items()})
    assert not spread.q.is_contiguous()
    for one, other in zip(spread.run(), case.run(), strict=True):
        assert_same(one, other)
        assert one.is_contiguous()


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1000), k=st.integers(0, 6))
def test_nan_in_every_slot_that_is_not_selected_never_leaks(seed: int, k: int) -> None:
    case = make_case(seed, batch=1, queries=3, k=k)
    together = case.run()
    for token in range(3):
        alone = case.but(q=case.q[:, :, token : token + 1])
        for tensor, whole in zip(poisoned(alone).run(), together, strict=True):
            assert_same(tensor[:, :, 0], whole[:, :, token])


def poisoned(case: Case) -> Case:
    """One row, one query: NaN in all slots, per key/value head, but those that it selects."""
    _, _, selected = case.run()
    keep = torch.zeros(case.k_arena.shape[:2], dtype=torch.bool)
    for head, chosen in enumerate(selected[0, :, 0]):
        for block in chosen[chosen >= 0].tolist():
            first = int(case.block_start[block])
            keep[first : first + int(case.block_len[block]), head] = True
    nan = float("nan")
    return case.but(
        k_arena=case.k_arena.masked_fill(~keep[..., None], nan),
        v_arena=case.v_arena.masked_fill(~keep[..., None], nan),
    )
