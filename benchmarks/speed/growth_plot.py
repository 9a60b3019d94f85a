"""How the coarse stage grows with the graph, as a picture: both axes logarithmic, SVG, no library.

The parts stand for themselves: what grows, and what a question costs however small the graph is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.speed.retrieval import Step

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 130, 20, 40
_LEAST_MS, _MOST_MS = 0.01, 100.0
_LINES: tuple[tuple[str, str, Callable[[Step], float]], ...] = (
    ("coarse, p99", "#b33", lambda step: step.coarse.p99),
    ("coarse, p50", "#b33", lambda step: step.coarse.p50),
    ("encoder", "#888", lambda step: step.encode.p50),
    ("index and store", "#36a", lambda step: step.facts_ms.p50),
    ("names", "#283", lambda step: step.names.p50),
    ("replace", "#a70", lambda step: step.replace.p50),
)


def svg(steps: Sequence[Step]) -> str:
    """Milliseconds over facts, a line for each part; at least one step."""
    first, last = math.log10(steps[0].facts), math.log10(steps[-1].facts)

    def across(facts: float) -> float:
        share = (math.log10(facts) - first) / max(last - first, 1e-9)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def down(ms: float) -> float:
        bounded = min(max(ms, _LEAST_MS), _MOST_MS)
        share = math.log10(bounded / _LEAST_MS) / math.log10(_MOST_MS / _LEAST_MS)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
    ]
    for power in range(round(math.log10(_LEAST_MS)), round(math.log10(_MOST_MS)) + 1):
        y, ms = down(10.0**power), 10.0**power
        parts.append(
            f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{ms:g} ms</text>'
        )
    for step in steps:
        parts.append(
            f'<text x="{across(step.facts):.1f}" y="{_HEIGHT - _BOTTOM + 20}" '
            f'text-anchor="middle">{step.facts:,}</text>'
        )
    for name, colour, value in _LINES:
        points = " ".join(f"{across(step.facts):.1f},{down(value(step)):.1f}" for step in steps)
        y = down(value(steps[-1])) + 4
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{_WIDTH - _RIGHT + 6}" y="{y:.1f}" fill="{colour}">{name}</text>'
        )
    return "\n".join([*parts, "</svg>"]) + "\n"
