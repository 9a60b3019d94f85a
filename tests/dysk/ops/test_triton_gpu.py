"""On a GPU: the public function, its gradient, the compiler, and shapes of real models."""

from __future__ import annotations

import pytest
import torch

from dysk.ops import sparse_knowledge_attention, triton_loading
from tests.dysk.ops import oracle
from tests.dysk.ops.cases import Case, make_case

pytest.importorskip("triton", reason="triton, which has wheels for Linux only, is missing")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


def on_gpu(case: Case) -> Case:
    return case.but(**{n: x.cuda() for n, x in vars(case).items() if torch.is_tensor(x)})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("queries", [1, 32])
@pytest.mark.parametrize("k", [8, 64])
def test_the_public_function_reads_as_the_loops_do(
    k: int, queries: int, dtype: torch.dtype
) -> None:
    case = make_case(
        1,
        batch=1,
        kv_heads=3,
        group=3,
        dim=64,
        queries=queries,
        lengths=(16,) * 64,
        columns=64,
        k=k,
    ).in_type(dtype)
    out, lse, selected = on_gpu(case).run()
    assert torch._C._dispatch_has_kernel_for_dispatch_key(triton_loading.NAME, "CUDA")
    assert torch.equal(selected.cpu(), oracle.select(case))
    want_out, want_lse = oracle.attend(case, selected.cpu())
    rounding = torch.finfo(dtype).eps
    torch.testing.assert_close(out.cpu().double(), want_out, rtol=rounding, atol=1e-5)
    torch.testing.assert_close(lse.cpu().double(), want_lse, rtol=1e-5, atol=1e-5)


def test_gradients_are_those_of_the_cpu() -> None:
    case = make_case(k=2, dtype=torch.float32)
    found = []
    for place in (case, on_gpu(case)):
        inputs = [x.detach().requires_grad_() for x in (place.q, place.k_arena, place.v_arena)]
        named = dict(zip(("q", "k_arena", "v_arena"), inputs, strict=True))
        out, lse, _ = place.but(**named).run()
        found.append([x.cpu() for x in torch.autograd.grad(out.sum() + lse.sum(), inputs)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_it_compiles_into_one_graph() -> None:
    case = on_gpu(make_case(k=2, dtype=torch.float32))

    def layer(q: torch.Tensor) -> torch.Tensor:
        return sparse_knowledge_attention(**{**vars(case), "q": q})[0].tanh()

    compiled = torch.compile(layer, fullgraph=True)
    torch.testing.assert_close(compiled(case.q), layer(case.q))
