"""The Triton kernels on what is at hand: compiled on a GPU, else in triton's interpreter.

A call takes up to a second there, so shapes are tiny.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tests.dysk.ops.cases import Case, Result

triton = pytest.importorskip("triton", reason="triton, which has wheels for Linux only, is missing")

from triton.language import bfloat16, core, float32, standard  # noqa: E402
from triton.runtime import interpreter, jit  # noqa: E402

from dysk.ops import triton_kernels, triton_launch  # noqa: E402

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def run(case: Case) -> Result:
    """What the kernels make of it, brought back to the CPU."""
    moved = {n: x.to(DEVICE) if torch.is_tensor(x) else x for n, x in vars(case).items()}
    out, lse, selected = triton_launch.sparse_knowledge_attention(**moved)
    return out.cpu(), lse.cpu(), selected.cpu()


@contextmanager
def kernels_at_hand() -> Iterator[None]:
    """Inside, calls take the first entry of the table, for measuring all of them needs a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(triton_launch.attend, "configs", triton_launch.TABLE[:1])
        if DEVICE == "cpu":
            _interpret(patch)
        yield


def _interpret(patch: pytest.MonkeyPatch) -> None:
    """Let what was defined to be compiled be interpreted.

    TRITON_INTERPRET alone decides that when triton is imported, and another test may have done so.
    """
    patch.setenv("TRITON_INTERPRET", "1")
    kernel = interpreter.InterpretedFunction(triton_launch.attend.fn.fn)
    patch.setattr(triton_launch.attend, "fn", kernel)
    for module in (core, standard, triton.language, triton_kernels, triton_launch):
        _interpret_functions(module, patch)
    multiply = interpreter.InterpreterBuilder.create_dot

    def multiply_numbers(self: Any, a: Any, b: Any, *rest: Any) -> Any:
        return multiply(self, _as_numbers(a), _as_numbers(b), *rest)

    patch.setattr(interpreter.InterpreterBuilder, "create_dot", multiply_numbers)


def _interpret_functions(module: ModuleType, patch: pytest.MonkeyPatch) -> None:
    for name, value in vars(module).copy().items():
        if isinstance(value, jit.JITFunction):
            patch.setattr(module, name, interpreter.InterpretedFunction(value.fn))


def _as_numbers(operand: Any) -> Any:
    """The interpreter keeps bfloat16 as bits, and would multiply the bits."""
    if operand.dtype.scalar != bfloat16:
        return operand
    numbers = (operand.data.astype(np.uint32) << 16).view(np.float32)
    return interpreter.TensorHandle(numbers, float32)
