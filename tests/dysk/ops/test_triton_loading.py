"""Do CUDA tensors go to the Triton kernels, where there are any, and to the reference elsewhere?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from dysk.ops import reference, triton_loading
from tests.dysk.ops.cases import Case, make_case
from tests.dysk.ops.oracle import assert_same
from tests.dysk.ops.test_registration import in_a_fresh_process
from tests.dysk.ops.triton_here import DEVICE, kernels_at_hand

REGISTERED = """
    import warnings
    {before}
    import torch
    from dysk.ops import triton_loading

    def has_kernel():
        return torch._C._dispatch_has_kernel_for_dispatch_key(triton_loading.NAME, "CUDA")

    assert not has_kernel()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        first, second = triton_loading.load(), triton_loading.load()
    print(first, second, has_kernel(), *(str(w.message) for w in said))
"""
WITHOUT_TRITON = "import sys; sys.modules['triton'] = None"


@pytest.fixture(autouse=True, scope="module")
def kernels() -> Iterator[None]:
    with kernels_at_hand():
        yield


def compute(case: Case, check_indices: bool = True) -> tuple[torch.Tensor, ...]:
    """By what is registered for CUDA tensors."""
    moved = {n: x.to(DEVICE) if torch.is_tensor(x) else x for n, x in vars(case).items()}
    return tuple(x.cpu() for x in triton_loading._compute(**moved, check_indices=check_indices))


def test_importing_the_op_does_not_import_triton() -> None:
    said = in_a_fresh_process("import sys, dysk.ops; print('triton' in sys.modules)")
    assert said.strip() == "False"


def test_the_first_call_registers_the_kernels_and_later_ones_find_them() -> None:
    said = in_a_fresh_process(REGISTERED.format(before=""), DYSK_NATIVE="auto")
    assert said.split() == ["True", "False", "True"]


def test_asked_for_the_reference_it_registers_nothing_and_is_silent() -> None:
    said = in_a_fresh_process(REGISTERED.format(before=""), DYSK_NATIVE="0")
    assert said.split() == ["False", "False", "False"]


def test_without_triton_one_warning_says_what_to_install() -> None:
    said = in_a_fresh_process(REGISTERED.format(before=WITHOUT_TRITON), DYSK_NATIVE="auto")
    assert said.startswith("False False False sparse knowledge attention runs without its GPU")
    assert said.count("pip install") == 1
    assert '"dysk[triton]"' in said


def test_without_triton_where_it_is_required_the_same_is_an_error() -> None:
    program = REGISTERED.format(before=WITHOUT_TRITON)
    with pytest.raises(AssertionError, match=r"TritonKernelsMissing: .*dysk\[triton\]"):
        in_a_fresh_process(program, DYSK_NATIVE="require")


def test_a_gpu_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9 - 2 * device, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"Card {device}")
    with pytest.raises(triton_loading.TritonKernelsMissing, match=r"Card 1 has .* 7\.5.* 8\.0"):
        triton_loading._check_devices()


def test_queries_of_float64_are_computed_in_float64() -> None:
    case = make_case(k=2)
    want = reference.sparse_knowledge_attention(*case.arguments)
    for one, other in zip(compute(case), want, strict=True):
        assert_same(one, other)


def test_others_are_computed_by_the_kernels() -> None:
    case = make_case(k=2, dtype=torch.float32)
    want = reference.sparse_knowledge_attention(*case.arguments)
    for one, other in zip(compute(case), want, strict=True):
        torch.testing.assert_close(one, other)


def test_what_does_not_fit_is_refused_before_anything_is_read() -> None:
    case = make_case(k=2, dtype=torch.float32)
    with pytest.raises(ValueError, match="k is -1"):
        compute(case.but(k=-1))
    with pytest.raises(IndexError, match="candidate 99 names no block"):
        compute(case.but(candidates=case.candidates.clone().fill_(99)))
