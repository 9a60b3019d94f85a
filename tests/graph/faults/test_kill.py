"""Some rounds of ``tests.graph.faults.kill``; the page docs/operations.md has a long run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.graph.faults.kill import run
from tests.graph.faults.worker import FACTS, batch, erased_by, fact_id, number_of


@pytest.mark.slow
def test_killed_at_random_points_a_store_keeps_every_acknowledged_batch_and_no_half_one(
    tmp_path: Path,
) -> None:
    tally = run(tmp_path / "facts.db", rounds=8, seed=20261124)
    assert tally.rounds == 8
    assert tally.acknowledged >= 2 * 8
    assert tally.facts > FACTS


def test_a_story_is_told_the_same_each_time_and_its_ids_tell_the_batch() -> None:
    assert batch("anna", 15) == batch("anna", 15)
    assert batch("anna", 15) != batch("bert", 15)
    assert number_of(fact_id("anna", 15, 2)) == ("anna", 15)
    assert [erased_by(number) for number in (6, 7, 15)] == [None, 0, 8]
