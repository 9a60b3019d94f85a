"""Do the Triton kernels compile for GPUs, which are not here, and fit on them?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="triton, which has wheels for Linux only, is missing")

ROOT = Path(__file__).parents[3]
SHARED_AT_MOST = {80: 163 * 1024, 90: 227 * 1024}
"""Bytes that a program can have, by the CUDA programming guide's table of compute capabilities."""
SPILLED_AT_MOST = 64
"""Bytes of a thread: a few values that wait for the end of a loop."""


def compiled(folder: Path) -> list[list[str]]:
    """The command's table, compiled anew, without its head."""
    done = subprocess.run(
        [sys.executable, "-m", "dysk.ops.triton_compile"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TRITON_CACHE_DIR": str(folder)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "triton had something to say"
    print(done.stdout, end="")
    return [line.split() for line in done.stdout.splitlines()[1:]]


def assert_fits(capability: str, registers: str, spilled: str, shared: str) -> None:
    assert 16 < int(registers) <= 255
    assert int(spilled) <= SPILLED_AT_MOST
    assert 0 < int(shared) <= SHARED_AT_MOST[int(capability)]


def test_each_kernel_compiles_for_both_generations_and_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():  # the figures belong into the log of a run
        print()
        lines = compiled(tmp_path)
    seen = set()
    for line in lines:
        numbers = [field for field in line if field.isdigit()]
        assert_fits(*numbers[:4])
        seen.add((line[0], int(numbers[0])))
    kernels = ("eligible_kernel", "score_kernel", "select_kernel", "attend_kernel")
    assert seen == {(kernel, target) for kernel in kernels for target in (80, 90)}
