"""The CPU kernel: built once, at first use, with the C++ compiler at hand.

The library lies in the cache of dysk under a hash of all that went into it, so it is built again
only when dysk or torch changes. Release wheels bring it along. Where it cannot be had, one warning
says what to install, and the PyTorch reference computes. ``DYSK_NATIVE=0`` asks for the reference,
``DYSK_NATIVE=require`` for an error instead of the warning.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import threading
import warnings
from pathlib import Path

import torch

SOURCES = Path(__file__).parent / "csrc"
PREBUILT = Path(__file__).parent / "libdysk_ops.so"
"""Where a release wheel has it."""

LEVELS = ("baseline", "avx2", "avx512")
_INSTRUCTIONS = {
    "baseline": [],
    "avx2": ["-mavx2", "-mfma", "-mf16c"],
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma", "-mf16c"],
}
_FLAGS = [
    *("-std=c++20", "-O3", "-fPIC", "-ffp-contract=fast", "-fno-math-errno"),
    *("-fvisibility=hidden", "-Wno-psabi", "-DTORCH_TARGET_VERSION=0x020a000000000000"),
]
_TIMEOUT = 600  # seconds, for a machine that is very busy

_lock = threading.Lock()
_library: ctypes.CDLL | None = None
_tried = False


class NativeKernelMissing(RuntimeError):
    """The CPU kernel cannot be built or loaded here; the message says why."""


def load() -> bool:
    """Register the CPU kernel unless that was tried before; True if this call did it.

    A call that comes while another thread builds does not wait: it returns False. Raises
    NativeKernelMissing under ``DYSK_NATIVE=require``.
    """
    global _library, _tried
    if _tried or not _lock.acquire(blocking=False):
        return False
    try:
        if _tried or wish() == "0":
            return False
        path = PREBUILT if PREBUILT.exists() else _built()
        _library = ctypes.CDLL(str(path))  # which registers what it has with torch
    except (NativeKernelMissing, OSError) as error:
        if wish() == "require":
            raise NativeKernelMissing(str(error)) from error
        warnings.warn(
            f"sparse knowledge attention runs without its CPU kernel, several times slower: "
            f"{error}. Install g++ (Debian and Ubuntu: apt install g++), or set DYSK_NATIVE=0 to "
            "run so without this warning",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    else:
        return True
    finally:
        _tried = True
        _lock.release()


def is_loaded() -> bool:
    """Whether CPU tensors go to the kernel."""
    return _library is not None


def path() -> Path:
    """The library in use. Raises NativeKernelMissing where there is none."""
    if _library is None:
        raise NativeKernelMissing("the CPU kernel is not loaded")
    return Path(_library._name)


def use_level(level: str) -> str:
    """Compute with ``baseline``, ``avx2`` or ``avx512`` instructions, or the next lower ones that
    this processor has; returns which. The best are in use unless this is called; tests do.
    """
    if _library is None:
        raise NativeKernelMissing("the CPU kernel is not loaded")
    return LEVELS[_library.dysk_use_level(LEVELS.index(level))]


def build(target: Path) -> None:
    """Compile the kernel into the shared library ``target``. Raises NativeKernelMissing."""
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise NativeKernelMissing("there is no C++ compiler on the path")
    with tempfile.TemporaryDirectory(prefix="dysk-build-") as folder:
        jobs = {
            Path(folder) / f"{name}.o": [*_FLAGS, *flags, "-c", str(source)]
            for name, source, flags in _units()
        }
        processes = [
            subprocess.Popen(  # noqa: S603 (our own sources, the user's own compiler)
                [compiler, *arguments, "-o", str(unit)], stderr=subprocess.PIPE, text=True
            )
            for unit, arguments in jobs.items()
        ]
        for process in processes:
            _check(process)
        _check(
            subprocess.Popen(  # noqa: S603
                [compiler, "-shared", *map(str, jobs), *_link_flags(), "-o", str(target)],
                stderr=subprocess.PIPE,
                text=True,
            )
        )


def wish() -> str:
    """What ``DYSK_NATIVE`` asks for: ``0``, ``auto`` or ``require``; also of the GPU's kernels."""
    said = os.environ.get("DYSK_NATIVE", "auto")
    if said not in ("0", "auto", "require"):
        raise ValueError(f"DYSK_NATIVE is {said!r}: set it to 0, auto or require")
    return said


def _built() -> Path:
    """The library in the cache, built now if it is not there."""
    from dysk.models import cache_folder

    target = cache_folder() / "native" / _fingerprint() / "libdysk_ops.so"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, made = tempfile.mkstemp(dir=target.parent, suffix=".so")
    os.close(handle)
    try:
        build(Path(made))
        Path(made).replace(
            target
        )  # atomic: of racing processes the last one wins, and all are right
    finally:
        Path(made).unlink(missing_ok=True)
    return target


def _fingerprint() -> str:
    parts = [torch.__version__, platform.machine(), os.environ.get("CXX", ""), repr(_units())]
    digest = hashlib.sha256("\n".join([*parts, *_FLAGS]).encode())
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def _units() -> list[tuple[str, Path, list[str]]]:
    """Name, source and further flags of what is compiled; the arithmetic once for each level."""
    levels = LEVELS if platform.machine() in ("x86_64", "AMD64") else LEVELS[:1]
    torch_root = Path(torch.__file__).parent
    includes = [
        *("-isystem", str(torch_root / "include")),
        *("-isystem", str(torch_root / "include" / "torch" / "csrc" / "api" / "include")),
    ]
    return [
        *(
            (level, SOURCES / "kernels.cpp", [*_INSTRUCTIONS[level], f"-DDYSK_ISA={level}"])
            for level in levels
        ),
        *(
            (name, SOURCES / f"{name}.cpp", includes)
            for name in ("operator", "attention", "eligible", "merge", "level")
        ),
    ]


def _link_flags() -> list[str]:
    library = Path(torch.__file__).parent / "lib"
    return [f"-L{library}", "-Wl,--no-as-needed", "-ltorch_cpu", "-lc10"]


def _check(process: subprocess.Popen[str]) -> None:
    try:
        _, said = process.communicate(timeout=_TIMEOUT)
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise NativeKernelMissing(f"the C++ compiler took over {_TIMEOUT} seconds") from error
    if process.returncode:
        last = "\n".join(said.strip().splitlines()[-8:])
        raise NativeKernelMissing(f"the C++ compiler failed:\n{last}\n")
