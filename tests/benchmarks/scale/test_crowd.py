from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks.scale.crowd import CrowdEncoder, lines_of
from benchmarks.schema import Question
from benchmarks.speed.invented_facts import fact_lines, is_invented
from dysk.retrieval.encoder import HashEncoder

ASKED = Question("q", "Who is king of Country 7?", ("Rudolf",), facts=("f7",))


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Ten facts of the questions, and five distractors with ids that are taken."""
    facts, others = tmp_path / "facts.jsonl", tmp_path / "others.jsonl"
    for path, name, count in ((facts, "Country", 10), (others, "Island", 5)):
        records = [
            {"id": f"f{n}", "subject": f"{name} {n}", "relation": "king", "object": "Rudolf"}
            for n in range(count)
        ]
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return facts, others


def crowd(size: int, files: tuple[Path, Path]) -> list[dict[str, str]]:
    lines = map(json.loads, lines_of(size, files[0], [ASKED], [files[1]]))
    return [line for line in lines if "subject" in line]


@pytest.mark.parametrize("size", [1, 10, 12, 15, 40])
def test_a_crowd_has_its_size_and_begins_with_what_is_asked_about(
    size: int, files: tuple[Path, Path]
) -> None:
    records = crowd(size, files)
    assert len(records) == size
    assert records[0]["id"] == "f7"
    own = [record for record in records if record["subject"].startswith("Country")]
    assert len(own) == min(size, 10)
    ids = [record["id"] for record in records if "id" in record]
    assert len(ids) == len(set(ids)) == len(own)


def test_a_larger_crowd_has_the_real_facts_of_the_smaller(files: tuple[Path, Path]) -> None:
    smaller, larger = crowd(12, files), crowd(30, files)
    assert larger[:12] == smaller
    assert all(is_invented(record["subject"]) for record in larger[15:])


def test_made_up_names_are_told_from_real_ones() -> None:
    names = [json.loads(line)["subject"] for line in islice(fact_lines(500), 500)]
    assert all(map(is_invented, names))
    assert not any(map(is_invented, ["Country 7", "Iowa", "", "relation 3", f"the {names[0]}"]))


def test_real_texts_get_their_vectors_and_made_up_names_lie_among_the_real_ones() -> None:
    encoder = HashEncoder(64)
    real = [f"Country {n}" for n in range(20)]
    made_up = list({json.loads(line)["subject"] for line in fact_lines(400)})
    vectors = CrowdEncoder(encoder, real).encode([*real, *made_up])
    np.testing.assert_allclose(vectors[:20], encoder.encode(real), atol=1e-6)
    np.testing.assert_array_equal(vectors[20:], CrowdEncoder(encoder, real).encode(made_up))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert len(np.unique(vectors[20:], axis=0)) > 0.9 * len(made_up)
    assert (vectors[20:] @ vectors[:20].T).max(axis=1).min() > 0.5
