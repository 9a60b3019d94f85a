"""Is the kernel in a release wheel, and in no other?"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dysk.ops import native
from tests.dysk.ops.test_native_build import ROOT, compiler_that

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("hatchling") is None,
    reason="hatchling is not installed: run make test",
)

USE = """
import torch, dysk.ops
from dysk.ops import native

slots = torch.randn(8, 2, 4)
out, _, _ = dysk.ops.sparse_knowledge_attention(
    torch.randn(1, 4, 2, 4), slots, slots, slots[:2], torch.tensor([0, 4]),
    torch.tensor([4, 4], dtype=torch.int32), torch.tensor([[0, 1]]), None, k=1, scale=0.5,
)
print(native.path())
"""


def wheel(folder: Path, **environment: str) -> Path:
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("*.whl")
    return found


def test_a_release_wheel_brings_it_for_one_platform_and_needs_no_compiler(
    tmp_path: Path, kernel: None
) -> None:
    copies = compiler_that(tmp_path, f"cp {native.path()} $out")
    built = wheel(tmp_path / "wheel", DYSK_PREBUILT="1", CXX=copies)
    assert "-py3-none-m" in built.name  # manylinux or musllinux
    installed = tmp_path / "installed"
    zipfile.ZipFile(built).extractall(installed)
    done = subprocess.run(
        [sys.executable, "-c", USE],
        cwd=tmp_path,
        env={
            **{"PYTHONPATH": str(installed), "PATH": "", "HOME": str(tmp_path)},
            **{"DYSK_NATIVE": "require", "DYSK_CACHE": str(tmp_path / "cache")},
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == installed / "dysk" / "ops" / native.PREBUILT.name


def test_any_other_wheel_brings_the_source_and_no_library(tmp_path: Path) -> None:
    built = wheel(tmp_path, CXX="/bin/false")
    assert built.name.endswith("-py3-none-any.whl")
    names = set(zipfile.ZipFile(built).namelist())
    sources = {f"dysk/ops/csrc/{path.name}" for path in native.SOURCES.iterdir()}
    assert sources <= names
    assert not [name for name in names if name.endswith(".so")]
