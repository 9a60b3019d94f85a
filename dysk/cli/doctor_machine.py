"""What the doctor looks at on a machine: Python, packages, compiler and kernel, models."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import warnings
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Literal

from dysk.cli import output
from dysk.cli.findings import Finding
from dysk.cli.settings import Settings
from dysk.errors import DyskError

_COMPILERS = ("g++", "clang++", "c++")
_EXTRAS = {"neo4j": "neo4j", "rdf": "pyoxigraph", "mcp": "mcp", "otel": "opentelemetry-sdk"}
"""Extras that add something one may miss, and the package by which each is known."""


def programs() -> Iterator[Finding]:
    """Python, what is installed, and the operator's kernel."""
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("Python", "ok", found)
    yield _packages()
    yield _extras()
    yield _compiler()
    yield _torch()
    yield _kernel()


def models(chosen: Settings) -> Iterator[Finding]:
    """The language model and the encoder, prepared as an ask would prepare them."""
    yield _model(chosen, "model")
    yield _model(chosen, "encoder")


def _packages() -> Finding:
    """Is what dysk says it needs there, in versions that it says will do?"""
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in requires("dysk") or ()]
    except PackageNotFoundError:
        return Finding("packages", "ok", "dysk runs from its source tree, so none are required")
    needed = [each for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    # FAISS for GPUs goes by another name.
    faiss = {"faiss-cpu"} if importlib.util.find_spec("faiss") else set()
    lacking = [
        f"{each.name}{each.specifier}"
        for each in needed
        if each.name not in faiss
        and not each.specifier.contains(installed(each.name) or "0", prereleases=True)
    ]
    if lacking:
        quoted = " ".join(f"'{each}'" for each in lacking)
        return Finding("packages", "fail", f"too old or missing: {quoted}", f"pip install {quoted}")
    return Finding("packages", "ok", f"all {len(needed)} that dysk {installed('dysk')} needs")


def _extras() -> Finding:
    there = [extra for extra, package in _EXTRAS.items() if installed(package)]
    absent = [extra for extra in _EXTRAS if extra not in there]
    said = ", ".join(there) or "none"
    if absent:
        said += f"; for more: pip install 'dysk[{','.join(absent)}]'"
    return Finding("extras", "ok", said)


def installed(package: str) -> str | None:
    """The version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _compiler() -> Finding:
    compiler = next((found for name in _COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        mend = "install g++ (Debian and Ubuntu: apt install g++), which the CPU kernel is built by"
        return Finding("compiler", "warn", "no C++ compiler on the path", mend)
    return Finding("compiler", "ok", compiler)


def _torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("torch", "fail", f"cannot be imported: {error}", "pip install torch")
    threads = torch.get_num_threads()
    device = "CUDA" if torch.cuda.is_available() else "CPU"
    return Finding("torch", "ok", f"{torch.__version__}, {device}, {threads} threads")


def _kernel() -> Finding:
    """Build the operator's CPU kernel if it is not built yet, as the first ask would."""
    try:
        from dysk.ops import native

        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            native.load()
        if native.is_loaded():
            return Finding("CPU kernel", "ok", f"{native.path()}, {native.use_level('avx512')}")
        if native.wish() == "0":
            return Finding("CPU kernel", "ok", "switched off by DYSK_NATIVE=0")
        reason = str(said[-1].message) if said else "it could not be loaded before"
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        reason = str(error)
    mend = "asks work without it, more slowly: mend what the message says, or set DYSK_NATIVE=0"
    return Finding("CPU kernel", "warn", reason, mend)


def _model(chosen: Settings, part: Literal["model", "encoder"]) -> Finding:
    from dysk.models import find_encoder, find_language_model, fingerprint

    find, spec = (
        (find_language_model, chosen.model) if part == "model" else (find_encoder, chosen.encoder)
    )
    try:
        folder = find(spec, output.say)
    except DyskError as error:
        return Finding(part, "fail", "not available", str(error))
    broken = _broken(folder)
    if broken:
        mend = f"remove {folder} and run dysk doctor again, or name another model"
        return Finding(part, "fail", f"{folder} is not whole: {broken}", mend)
    return Finding(part, "ok", f"{folder}, weights {fingerprint(folder)}")


def _broken(folder: Path) -> str:
    """What is wrong with the weights of a model, as far as their headings tell."""
    from safetensors import SafetensorError, safe_open

    files = sorted(folder.glob("*.safetensors"))
    if not files and not any(folder.glob("*.bin")):
        return "there are no weights in it"
    for file in files:
        try:
            with safe_open(file, framework="pt") as opened:
                opened.keys()
        except (SafetensorError, OSError) as error:
            return f"{file.name}: {error}"
    return ""
