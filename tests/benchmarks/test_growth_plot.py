from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from benchmarks.growth_plot import Panel, draw
from benchmarks.schema import BenchmarkError

SIZES = [1_000, 10_000, 100_000]
PANELS = [
    Panel("Time of an ask", "ms", {"coarse": [8.0, 9.0, 11.5], "names": [0.4, None, 1.1]}),
    Panel("Answers", "share", {"accuracy": [0.95, 0.95, 0.94]}, is_logarithmic=False),
]


def test_the_same_figures_give_the_same_two_pictures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    first, second = draw(tmp_path / "a", SIZES, PANELS), draw(tmp_path / "b", SIZES, PANELS)
    assert [path.name for path in first] == ["a.png", "a.svg"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    ElementTree.fromstring(first[1].read_text())
    other = draw(tmp_path / "c", SIZES, PANELS[1:])
    assert other[0].read_bytes() != first[0].read_bytes()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(BenchmarkError, match="missing"):
        draw(tmp_path / "missing" / "a", SIZES, PANELS)


def test_without_matplotlib_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(BenchmarkError, match="plots"):
        draw(tmp_path / "a", SIZES, PANELS)
