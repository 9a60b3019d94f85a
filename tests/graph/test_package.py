"""What ``import graph`` brings, and what it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import graph

ROOT = Path(__file__).parents[2]


def test_every_exported_name_is_there_once_and_in_order() -> None:
    assert sorted(set(graph.__all__)) == graph.__all__
    assert all(hasattr(graph, name) for name in graph.__all__)


def test_the_store_needs_nothing_but_the_standard_library() -> None:
    script = """
import sys
before = set(sys.modules)
import graph, graph.interchange
names = {name.split(".")[0] for name in set(sys.modules) - before}
print(sorted(names - set(sys.stdlib_module_names) - {"graph"}))
"""
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
