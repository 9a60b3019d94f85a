from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scale.growth import fit

SIZES = [1_000, 10_000, 100_000, 1_000_000]


@given(exponent=st.floats(-1, 2), factor=st.floats(1e-3, 1e3))
def test_the_exponent_of_a_power_is_found(exponent: float, factor: float) -> None:
    growth = fit(SIZES, [factor * size**exponent for size in SIZES])
    assert growth is not None
    assert growth.exponent == pytest.approx(exponent, abs=1e-6)
    assert growth.ci95 == pytest.approx((exponent, exponent), abs=1e-5)


def test_the_interval_is_that_of_a_textbook() -> None:
    # y = 1, 2, 2, 3 over x = 0 … 3 (decades): slope .6, residual variance .1, t(2) = 4.303.
    growth = fit(SIZES, [10**y for y in (1, 2, 2, 3)])
    assert growth is not None
    assert growth.ci95 is not None
    reach = 4.303 * (0.1 / 5) ** 0.5
    assert growth.exponent == pytest.approx(0.6)
    assert growth.ci95 == pytest.approx((0.6 - reach, 0.6 + reach), abs=1e-3)


def test_sizes_without_a_value_are_left_out() -> None:
    assert fit(SIZES, [1.0, None, 0.0, None]) is None
    growth = fit(SIZES, [1.0, None, 100.0, 0.0])
    assert growth is not None
    assert growth.exponent == pytest.approx(1)
    assert growth.ci95 is None
