"""How figures grow with the graph, as pictures: both axes logarithmic, PNG and SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.schema import BenchmarkError

_PANEL_INCHES = (5.6, 4.2)
_DOTS_PER_INCH = 120


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes: ``lines`` has a value, or None for not measured, at each size."""

    title: str
    unit: str
    lines: Mapping[str, Sequence[float | None]]
    is_logarithmic: bool = True


def draw(path: Path, sizes: Sequence[int], panels: Sequence[Panel]) -> list[Path]:
    """Draw panels beside one another over the number of facts; the files that were written.

    ``path`` gets the suffixes .png and .svg. The same figures give the same bytes. Raises
    BenchmarkError without matplotlib, or where a file cannot be written.
    """
    matplotlib, figures = _matplotlib()
    width, height = _PANEL_INCHES
    figure = figures.Figure(figsize=(width * len(panels), height), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for name, values in panel.lines.items():
            known = [(size, y) for size, y in zip(sizes, values, strict=True) if y is not None]
            axes.plot([x for x, _ in known], [y for _, y in known], marker="o", label=name)
        axes.set(title=panel.title, xlabel="facts", ylabel=panel.unit, xscale="log")
        if panel.is_logarithmic:
            axes.set_yscale("log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    files = [path.with_suffix(suffix) for suffix in (".png", ".svg")]
    undated = {".png": {"Software": None}, ".svg": {"Date": None}}
    try:
        with matplotlib.rc_context({"svg.hashsalt": "dysk"}):
            for file in files:
                metadata = undated[file.suffix]
                figure.savefig(file, dpi=_DOTS_PER_INCH, metadata=metadata)
    except OSError as error:
        raise BenchmarkError(f"cannot write {path}: {error.strerror}") from error
    return files


def _matplotlib() -> tuple[Any, Any]:
    try:
        import matplotlib
        import matplotlib.figure
    except ImportError as error:
        raise BenchmarkError(
            "a picture needs matplotlib: pip install 'dysk[plots]', or leave --plot out"
        ) from error
    return matplotlib, matplotlib.figure
