"""How fast a figure grows with the graph: the exponent b of value = a · facts^b."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Student's t at 97.5 % for 1, 2, … degrees of freedom.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


@dataclass(frozen=True, slots=True)
class Growth:
    """The exponent, 0 for what does not grow and 1 for what grows with the facts, and its 95 %
    interval, None of two sizes.
    """

    exponent: float
    ci95: tuple[float, float] | None


def fit(sizes: Sequence[int], values: Sequence[float | None]) -> Growth | None:
    """Least squares on logarithms of the sizes with a positive value; None of fewer than two."""
    known = [(n, v) for n, v in zip(sizes, values, strict=True) if v is not None and v > 0]
    if len(known) < 2:
        return None
    x, y = np.log([n for n, _ in known]), np.log([v for _, v in known])
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread
    freedom = len(known) - 2
    if not freedom:
        return Growth(slope, None)
    left = y - y.mean() - slope * (x - x.mean())
    error = math.sqrt(float((left**2).sum()) / freedom / spread)
    reach = _T[min(freedom, len(_T)) - 1] * error
    return Growth(slope, (slope - reach, slope + reach))
