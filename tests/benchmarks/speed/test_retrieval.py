from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.schema import BenchmarkError
from benchmarks.speed.retrieval import Spread, StandIns, Step, measure, panels, sizes_to, table
from dysk.retrieval.encoder import HashEncoder

STEP = Step(
    facts=1_000,
    slots=900,
    questions=20,
    encode=Spread(6, 8),
    names=Spread(0.5, 1),
    facts_ms=Spread(1, 2),
    coarse=Spread(7.5, 11),
    replace=Spread(0.1, 0.2),
    hit=0.95,
    exact_hit=0.96,
    index_bytes=500,
    file_bytes=550,
    keep_s=1,
    keep_cpu_s=0.9,
    held_ms=12,
    cold_start_s=2,
    cold_start_cpu_s=1.5,
)


@pytest.fixture
def small_set(tmp_path: Path) -> tuple[Path, Path]:
    """30 facts, and a question about each of the last ten."""
    facts, questions = tmp_path / "facts.jsonl", tmp_path / "questions.jsonl"
    numbers = range(30)
    records = [
        {"id": f"f{n}", "subject": f"Country {n}", "relation": "king", "object": "Rudolf"}
        for n in numbers
    ]
    asked = [
        {
            "id": f"q{n}",
            "question": f"Who is king of Country {n}?",
            "answers": ["Rudolf"],
            "facts": [f"f{n}"],
            "hops": 1,
            "kind": "unchanged",
        }
        for n in numbers[20:]
    ]
    facts.write_text("".join(json.dumps(record) + "\n" for record in records))
    questions.write_text("".join(json.dumps(record) + "\n" for record in asked))
    return facts, questions


def test_each_size_is_loaded_asked_written_and_taken_up_again(
    tmp_path: Path, small_set: tuple[Path, Path]
) -> None:
    stages: list[str] = []
    steps = list(
        measure(
            tmp_path,
            HashEncoder(32),
            [small_set],
            [60, 200],
            encoded=12,
            asked=10,
            progress=stages.append,
        )
    )
    assert [step.facts for step in steps] == [60, 200]
    assert steps[0].slots < steps[1].slots
    assert all(step.questions == 10 for step in steps)
    # Questions that name their subject find it, whatever the vectors are.
    assert all(step.hit == step.exact_hit == 1 for step in steps)
    assert all(0 < step.coarse.p50 <= step.coarse.p99 for step in steps)
    assert steps[1].file_bytes > 0
    assert "loading 200 facts" in stages
    (again,) = measure(tmp_path, HashEncoder(32), [small_set], [200], encoded=12, asked=10)
    assert (again.facts, again.slots, again.hit) == (200, steps[1].slots, 1)


def test_without_a_question_about_a_fact_there_is_nothing_to_measure(
    tmp_path: Path, small_set: tuple[Path, Path]
) -> None:
    small_set[1].write_text("")
    with pytest.raises(BenchmarkError):
        list(measure(tmp_path, HashEncoder(32), [small_set], [60], encoded=12, asked=10))


def test_stand_ins_are_the_same_each_time_and_lie_among_the_encoded_names() -> None:
    encoder = HashEncoder(64)
    names = [f"Country {n}" for n in range(20)]
    stand_ins = StandIns(encoder, names)
    np.testing.assert_allclose(stand_ins.encode(names), encoder.encode(names), atol=1e-6)
    strangers = [f"Stranger {n}" for n in range(50)]
    vectors = stand_ins.encode(strangers)
    np.testing.assert_array_equal(vectors, StandIns(encoder, names).encode(strangers))
    assert len(np.unique(vectors, axis=0)) > 45
    assert (vectors @ encoder.encode(names).T).max(axis=1).min() > 0.5


def test_sizes_grow_tenfold_to_the_last() -> None:
    assert sizes_to(1_000) == [1_000]
    assert sizes_to(250_000) == [1_000, 10_000, 100_000, 250_000]


def test_the_table_has_a_line_a_size() -> None:
    lines = table([STEP, STEP]).splitlines()
    assert len(lines) == 3
    assert "7.50/11.00" in lines[1]
    assert len({len(line) for line in lines}) == 1


def test_the_picture_has_every_part_at_every_size() -> None:
    for panel in panels([STEP, STEP]):
        assert all(len(values) == 2 and None not in values for values in panel.lines.values())
