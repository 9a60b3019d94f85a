"""``dysk doctor``: does everything that an answer needs stand ready, and if not, what mends it."""

from __future__ import annotations

import importlib.util
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import typer

from dysk.cli import output, settings
from dysk.errors import DyskError
from graph.errors import GraphError

Level = Literal["ok", "warn", "fail"]

_STYLE: dict[Level, str] = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_ROOM = 2 * 1024**3
"""Bytes of free disk below which the converted models and indexes may not fit."""
_COMPILERS = ("g++", "clang++", "c++")


@dataclass(frozen=True, slots=True)
class Finding:
    """One part, its state, what was found, and what to do when it is not ok."""

    part: str
    level: Level
    found: str
    mend: str = ""


def register(app: typer.Typer) -> None:
    """Mount ``doctor``."""
    app.command(rich_help_panel="Look after it")(doctor)


def doctor(context: typer.Context) -> None:
    """Check what dysk needs, part by part; exits 1 when something fails."""
    chosen = settings.of(context)
    findings = []
    for finding in examine(chosen):
        findings.append(finding)
        if not chosen.as_json:
            _show(finding)
    failed = any(finding.level == "fail" for finding in findings)
    if chosen.as_json:
        record = [
            {"part": f.part, "level": f.level, "found": f.found, "mend": f.mend} for f in findings
        ]
        output.print_json({"ok": not failed, "findings": record})
    raise typer.Exit(1 if failed else 0)


def examine(chosen: settings.Settings) -> Iterator[Finding]:
    """Look at every part in turn; slow parts come last."""
    yield _python()
    yield _compiler()
    yield from _store(chosen)
    yield _disk(chosen.data)
    yield _package("faiss-cpu", "faiss", "pip install faiss-cpu")
    yield _torch()
    yield _model(chosen, "model")
    yield _model(chosen, "encoder")


def _show(finding: Finding) -> None:
    console = output.out()
    console.print(f"{finding.level:<5}", style=_STYLE[finding.level], end="")
    console.print(f"{finding.part:<12}{finding.found}")
    if finding.mend:
        console.print(f"{'':<17}→ {finding.mend}")


def _python() -> Finding:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("Python", "ok", found)


def _package(name: str, module: str, mend: str) -> Finding:
    if importlib.util.find_spec(module) is None:
        return Finding(module, "fail", "not installed", mend)
    try:
        return Finding(module, "ok", version(name))
    except PackageNotFoundError:
        return Finding(module, "ok", "installed under another name")


def _torch() -> Finding:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding("torch", "fail", f"cannot be imported: {error}", "pip install torch")
    threads = torch.get_num_threads()
    device = "CUDA" if torch.cuda.is_available() else "CPU"
    return Finding("torch", "ok", f"{torch.__version__}, {device}, {threads} threads")


def _compiler() -> Finding:
    compiler = next((found for name in _COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        mend = "install g++: without it the attention kernel falls back to slower PyTorch"
        return Finding("compiler", "warn", "no C++ compiler on the path", mend)
    return Finding("compiler", "ok", compiler)


def _model(chosen: settings.Settings, part: Literal["model", "encoder"]) -> Finding:
    from dysk import models

    find: Callable[..., Path]
    find = models.find_language_model if part == "model" else models.find_encoder
    spec = chosen.model if part == "model" else chosen.encoder
    try:
        return Finding(part, "ok", str(find(spec, output.say)))
    except DyskError as error:
        return Finding(part, "fail", "not available", str(error))


def _store(chosen: settings.Settings) -> Iterator[Finding]:
    try:
        with chosen.workspace() as workspace:
            yield Finding("data folder", "ok", str(chosen.data))
            graph = workspace.graph(chosen.graph)
            with graph.store.snapshot() as snapshot:
                found = (
                    f"graph {chosen.graph}: {snapshot.count()} facts, revision {snapshot.revision}"
                )
            yield Finding("store", "ok", found)
    except DyskError as error:
        yield Finding("data folder", "fail", str(chosen.data), str(error))
    except GraphError as error:
        yield Finding("store", "fail", f"graph {chosen.graph}", str(error))


def _disk(data: Path) -> Finding:
    existing = next(
        folder for folder in (data.absolute(), *data.absolute().parents) if folder.exists()
    )
    free = shutil.disk_usage(existing).free
    found = f"{free / 1024**3:.1f} GiB free"
    if free < _ROOM:
        return Finding("disk", "warn", found, "free some space: models and indexes take 1 GiB")
    return Finding("disk", "ok", found)
