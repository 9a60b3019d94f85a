"""Where does the CPU kernel come from, and what happens where it cannot be had?"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dysk.ops import native

ROOT = Path(__file__).parents[3]
CALL = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from dysk.ops import native
    from tests.dysk.ops.cases import make_case
    for _ in range(3):
        case = make_case(k=2).in_type(__import__("torch").float32)
        out = case.run()[0]
print("loaded" if native.is_loaded() else "not loaded", float(out.sum()))
for one in caught:
    if "kernel" in str(one.message):
        print("warned:", one.message)
"""


def call(**environment: str) -> subprocess.CompletedProcess[str]:
    """Three calls of the op in a process of their own."""
    return subprocess.run(
        [sys.executable, "-c", CALL],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
        timeout=280,
        check=False,
    )


def compiler_that(folder: Path, does: str) -> str:
    """A program that stands in for the compiler; ``$out`` is what it is to write."""
    program = folder / "compiler"
    program.write_text(
        "#!/bin/sh\n"
        f"echo called >> {folder}/calls\n"
        "for out; do :; done  # the last argument\n"
        f"{does}\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


@pytest.fixture
def built(kernel: None) -> Path:
    """The library that these tests themselves use."""
    return native.path()


def test_without_a_compiler_one_warning_says_what_to_install(tmp_path: Path) -> None:
    done = call(PATH=str(tmp_path), DYSK_CACHE=str(tmp_path), CXX="", DYSK_NATIVE="auto")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("not loaded")
    assert done.stdout.count("warned:") == 1
    assert "no C++ compiler" in done.stdout and "apt install g++" in done.stdout


def test_a_compiler_that_fails_is_quoted_and_leaves_nothing_behind(tmp_path: Path) -> None:
    broken = compiler_that(tmp_path, "echo it is broken >&2; exit 1")
    done = call(CXX=broken, DYSK_CACHE=str(tmp_path), DYSK_NATIVE="auto")
    assert done.stdout.startswith("not loaded")
    assert "it is broken" in done.stdout and done.stdout.count("warned:") == 1
    assert not list(tmp_path.rglob("*.so"))


def test_a_library_that_does_not_load_is_no_catastrophe(tmp_path: Path) -> None:
    nonsense = compiler_that(tmp_path, "echo nonsense > $out")
    done = call(CXX=nonsense, DYSK_CACHE=str(tmp_path), DYSK_NATIVE="auto")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("not loaded") and done.stdout.count("warned:") == 1


def test_a_cache_that_cannot_be_written_is_no_catastrophe(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = call(DYSK_CACHE=str(tmp_path / "file"), DYSK_NATIVE="auto")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("not loaded") and done.stdout.count("warned:") == 1


def test_required_it_is_an_error_instead(tmp_path: Path) -> None:
    done = call(PATH=str(tmp_path), DYSK_CACHE=str(tmp_path), CXX="", DYSK_NATIVE="require")
    assert done.returncode != 0
    assert "NativeKernelMissing: there is no C++ compiler" in done.stderr


def test_unwanted_it_is_neither_built_nor_missed(tmp_path: Path) -> None:
    done = call(CXX=compiler_that(tmp_path, "exit 1"), DYSK_CACHE=str(tmp_path), DYSK_NATIVE="0")
    assert done.stdout.startswith("not loaded") and "warned" not in done.stdout
    assert not (tmp_path / "calls").exists()


def test_a_wish_that_means_nothing_is_refused() -> None:
    done = call(DYSK_NATIVE="perhaps")
    assert done.returncode != 0
    assert "DYSK_NATIVE is 'perhaps': set it to 0, auto or require" in done.stderr


def test_what_was_built_once_is_loaded_without_a_compiler(tmp_path: Path, built: Path) -> None:
    copies = compiler_that(tmp_path, f"cp {built} $out")
    first = call(CXX=copies, DYSK_CACHE=str(tmp_path), DYSK_NATIVE="require")
    assert first.stdout.startswith("loaded"), first.stderr
    calls = (tmp_path / "calls").read_text()
    second = call(CXX=copies, DYSK_CACHE=str(tmp_path), DYSK_NATIVE="require")
    assert second.stdout == first.stdout
    assert (tmp_path / "calls").read_text() == calls


def test_processes_that_race_to_build_all_get_it(tmp_path: Path, built: Path) -> None:
    """Each one's compiler writes slowly, so that a half-written library would be seen."""
    half = f"head -c 100000 {built} > $out; sleep 0.5; cp {built} $out"
    copies = compiler_that(tmp_path, half)
    environment = {
        **{**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CXX": copies},
        **{"DYSK_CACHE": str(tmp_path), "DYSK_NATIVE": "require"},
    }
    racing = [
        subprocess.Popen([sys.executable, "-c", CALL], cwd=ROOT, env=environment, stdout=-1)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=280)[0] for process in racing]
    assert all(process.returncode == 0 for process in racing)
    assert len(set(said)) == 1 and said[0].startswith(b"loaded")
    assert len(list(tmp_path.rglob("*.so"))) == 1


def test_both_ways_give_the_same_answer(kernel: None) -> None:
    with_kernel, without = (call(DYSK_NATIVE=wish).stdout.split() for wish in ("require", "0"))
    assert with_kernel[0] == "loaded" and without[:2] == ["not", "loaded"]
    assert float(with_kernel[1]) == pytest.approx(float(without[2]), rel=1e-5)
