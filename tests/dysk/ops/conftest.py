"""Fixtures of the CPU kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from dysk.ops import native
from tests.dysk.ops.cases import make_case


@pytest.fixture(scope="session")
def kernel() -> None:
    """Skips where there is none; builds it if that was not tried yet."""
    make_case(k=1, dtype=torch.float32).run()
    if not native.is_loaded():
        pytest.skip("the CPU kernel cannot be built here: install g++")


@pytest.fixture(params=native.LEVELS)
def level(request: pytest.FixtureRequest, kernel: None) -> Iterator[str]:
    """Computes with this instruction set; skips those that the processor lacks."""
    wanted: str = request.param
    try:
        if native.use_level(wanted) != wanted:
            pytest.skip(f"this processor has no {wanted}")
        yield wanted
    finally:
        native.use_level(native.LEVELS[-1])
