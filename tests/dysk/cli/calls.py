"""Ways to call the command line: in this process, or as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from dysk.cli import app

ROOT = Path(__file__).parents[3]


def call(data: Path, *arguments: str, stdin: bytes | None = None) -> Result:
    """Run a verb in this process on the data folder."""
    return CliRunner().invoke(app, ["--data", str(data), *arguments], input=stdin)


def succeed(data: Path, *arguments: str, stdin: bytes | None = None) -> str:
    """Run a verb that must exit with 0, and return what it printed on stdout."""
    result = call(data, *arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def read(data: Path, *arguments: str, stdin: bytes | None = None) -> Any:
    """Run a verb with JSON output that must exit with 0, and return its JSON."""
    return json.loads(succeed(data, "--output", "json", *arguments, stdin=stdin))


def add(data: Path, *arguments: str) -> str:
    """Add a fact and return its id."""
    found = read(data, "add", *arguments)["items"][0]["fact"]["id"]
    assert isinstance(found, str)
    return found


def command(data: Path, *arguments: str | bytes) -> list[str | bytes]:
    """The argument vector of a real process."""
    return [sys.executable, "-m", "dysk", "--data", str(data), *arguments]


def environment(**changes: str) -> dict[str, str]:
    """The surroundings of a real process: the source tree is importable, the width is fixed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DYSK_")}
    return kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "120", **changes}


def run(data: Path, *arguments: str | bytes, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a verb as a process of its own and wait for it."""
    return run_python(command(data, *arguments)[1:], **options)


def run_python(
    arguments: Sequence[str | bytes], **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run this Python with the arguments, in the surroundings of ``environment``."""
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
        **{"env": environment(), **options},
    )
