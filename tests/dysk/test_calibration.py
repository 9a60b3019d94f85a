"""A fact has to pass both models; weights come from the cache or from what is shipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dysk.calibration import Calibration, cache_file, calibration_for, logit
from dysk.relevance import Signs
from dysk.retrieval.encoder import HashEncoder
from dysk.training import Report, save_calibration

numbers = st.floats(-3, 3)
SMALL = Calibration(np.array([1.0, 0.0]), np.array([2.0, -1.0]), np.array([0.5, 1.0]))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DYSK_CACHE", str(tmp_path))
    calibration_for.cache_clear()
    return tmp_path


@given(numbers, numbers)
def test_a_fact_is_relevant_if_entity_and_relation_are_likelier_right_than_wrong(
    entity: float, relation: float
) -> None:
    signs = Signs((entity,), (relation,))
    odds = [logit(SMALL.entity, signs.entity), logit(SMALL.relation, signs.relation)]
    assert SMALL.is_relevant(signs, strict=True) == (min(odds) > 0)
    assert SMALL.is_relevant(signs) == (odds[0] + 0.5 > 0 and odds[1] + 1.0 > 0)
    assert logit(SMALL.relation, signs.relation) == pytest.approx(2 * relation - 1)


def test_what_was_trained_for_an_encoder_is_used_for_it_and_for_no_other(cache: Path) -> None:
    encoder = HashEncoder(8)
    shipped = calibration_for("another")
    path = save_calibration(encoder, SMALL, Report(0, 8, 10, 1.0, 1.0))
    assert path == cache_file(encoder.fingerprint)
    assert path.is_relative_to(cache)
    kept = calibration_for(encoder.fingerprint)
    assert np.array_equal(kept.entity, SMALL.entity)
    assert np.array_equal(kept.relation, SMALL.relation)
    assert np.array_equal(calibration_for("another").entity, shipped.entity)


@pytest.mark.parametrize("damaged", [b"", b"not safetensors", b"\x00" * 64])
def test_a_damaged_file_is_as_good_as_none(cache: Path, damaged: bytes) -> None:
    path = cache_file("x")
    path.parent.mkdir(parents=True)
    path.write_bytes(damaged)
    assert np.array_equal(calibration_for("x").entity, calibration_for("y").entity)


def test_the_shipped_weights_fit_the_signs(cache: Path) -> None:
    shipped = calibration_for("any encoder")
    named = Signs((1.0, 0, 1, 0, 0, 1, 1, 0.8, 1.0, 0), (0.6, -0.3, -0.3))
    assert shipped.is_relevant(named, strict=True)
    assert (shipped.leniency >= 0).all()
    assert not shipped.is_relevant(Signs((0, 1.0, 0, 1, 0, 0, 0, 0.4, 0, 1), named.relation))
    assert not shipped.is_relevant(Signs(named.entity, (0.1, 0.5, 0.2)))
