"""Training: the same bits for a seed, and two models that tell right from wrong."""

from __future__ import annotations

import numpy as np
import pytest

from dysk.calibration import Calibration, logit
from dysk.invented_graph import Asked, InventedGraph
from dysk.relevance import Signs
from dysk.retrieval.encoder import CachedEncoder, HashEncoder
from dysk.training import Example, Report, collect, fit, train


@pytest.fixture(scope="module")
def trained() -> tuple[Calibration, Report]:
    return train(HashEncoder(256), graphs=4, seed=2)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    trained: tuple[Calibration, Report],
) -> None:
    again, report = train(HashEncoder(256), graphs=4, seed=2)
    assert again.entity.tobytes() == trained[0].entity.tobytes()
    assert again.relation.tobytes() == trained[0].relation.tobytes()
    assert report == trained[1]
    other, _ = train(HashEncoder(256), graphs=2, seed=3)
    assert not np.array_equal(other.entity, again.entity)


def test_even_by_spelling_alone_half_of_what_is_not_there_is_told(
    trained: tuple[Calibration, Report],
) -> None:
    _, report = trained
    assert report.questions > 20
    assert report.recall > 0.5
    assert report.precision > 0.7


def test_what_is_asked_of_another_and_what_is_asked_of_nobody_are_told_apart() -> None:
    graph = InventedGraph(
        (
            ("Ada Vell", "mentor", "Otto"),
            ("Ada Horn", "mentor", "Karl"),
            ("Ada Horn", "rival", "Ed"),
        ),
        (
            Asked("Who is the mentor of Ada Vell?", "Ada Vell", "mentor"),
            Asked("Who is the rival of Ada Vell?", "Ada Vell", "rival"),
            Asked("Who is the mentor of Ada Kern?", "Ada Kern", "mentor"),
        ),
    )
    found = collect(graph, CachedEncoder(HashEncoder(256)))
    assert [(each.is_about, each.answers) for each in found] == [
        (True, True),
        (True, False),
        (False, False),
    ]


def test_the_models_weigh_what_tells_and_not_what_does_not() -> None:
    rng = np.random.default_rng(0)
    examples = []
    for number in range(400):
        tells, noise = rng.normal(), rng.normal()
        is_about, answers = tells > 0, tells > 0 and number % 2 == 0
        signs = Signs((tells, noise), (float(number % 2 == 0), noise))
        examples.append(Example(signs, is_about, answers))
    calibration = fit(examples)
    assert calibration.entity[0] > 5 * abs(calibration.entity[1])
    assert logit(calibration.relation, (1.0, 0.0)) > 0 > logit(calibration.relation, (0.0, 0.0))
