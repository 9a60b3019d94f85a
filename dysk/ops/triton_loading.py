"""The GPU kernels: registered at the first call with CUDA tensors, where triton is installed.

torch's CUDA builds for Linux bring triton along. Without it one warning says what to install, and
the PyTorch reference computes. ``DYSK_NATIVE`` speaks of these kernels as of the CPU's: ``0`` asks
for the reference, ``require`` for an error instead of the warning.
"""

from __future__ import annotations

import threading
import warnings

import torch
from torch import Tensor

from dysk.ops import native
from dysk.ops.validation import check_arguments, check_values

NAME = "dysk::sparse_knowledge_attention"
OLDEST = (8, 0)
"""The least compute capability: bfloat16 in tensor cores (A100 and later)."""

Result = tuple[Tensor, Tensor, Tensor]

_lock = threading.Lock()
_tried = False


class TritonKernelsMissing(RuntimeError):
    """The Triton kernels cannot run here; the message says why."""


def load() -> bool:
    """Register the kernels for CUDA tensors unless that was tried before; True if this call did it.

    A call that comes while another thread does so does not wait: it returns False. Raises
    TritonKernelsMissing under ``DYSK_NATIVE=require``.
    """
    global _tried
    if _tried or not _lock.acquire(blocking=False):
        return False
    try:
        if _tried or native.wish() == "0":
            return False
        _check_devices()
        _import()
        torch.library.impl(NAME, "cuda", _compute)
    except TritonKernelsMissing as error:
        if native.wish() == "require":
            raise
        warnings.warn(
            f"sparse knowledge attention runs without its GPU kernels: {error}, or set "
            "DYSK_NATIVE=0 to run so without this warning",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    else:
        return True
    finally:
        _tried = True
        _lock.release()


def _check_devices() -> None:
    for device in range(torch.cuda.device_count()):
        capability = torch.cuda.get_device_capability(device)
        if capability < OLDEST:
            raise TritonKernelsMissing(
                f"{torch.cuda.get_device_name(device)} has compute capability "
                f"{capability[0]}.{capability[1]}, and they need {OLDEST[0]}.{OLDEST[1]}. Hide it "
                "with CUDA_VISIBLE_DEVICES"
            )


def _import() -> None:
    try:
        import dysk.ops.triton_launch  # noqa: F401
    except ImportError as error:
        raise TritonKernelsMissing(
            f'triton cannot be imported ({error}). Run pip install "dysk[triton]"'
        ) from error


def _compute(
    q: Tensor,
    k_arena: Tensor,
    v_arena: Tensor,
    summary: Tensor,
    block_start: Tensor,
    block_len: Tensor,
    candidates: Tensor,
    prior: Tensor | None,
    k: int,
    scale: float,
    temperature: float = 1.0,
    check_indices: bool = True,
) -> Result:
    from dysk.ops import triton_launch

    arguments = (
        *(q, k_arena, v_arena, summary, block_start, block_len),
        *(candidates, prior, k, scale, temperature),
    )
    if q.dtype == torch.float64:
        exact: Result = torch.ops.dysk.sparse_knowledge_attention_reference(
            *arguments, check_indices
        )
        return exact
    check_arguments(*arguments)
    if check_indices:
        check_values(k_arena.shape[0], block_start, block_len, candidates, prior)
    return triton_launch.sparse_knowledge_attention(*arguments)
