"""The benchmarks over the real models, on facts that no model can know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from benchmarks.load import load_facts
from benchmarks.run import run
from benchmarks.schema import Question
from benchmarks.speed.ttft import measure, questions_from
from benchmarks.speed.write import measure as measure_writes
from benchmarks.speed.write import served
from benchmarks.systems import choose_systems
from dysk.client import Dysk
from dysk.errors import ModelUnavailable
from dysk.workspace import Workspace

pytestmark = pytest.mark.models

CAPITALS = {"Norland": "Quillport", "Estmark": "Sornhaven", "Ilovia": "Trellmouth"}
QUESTIONS = [
    Question(f"q-{land}", f"What is the capital of {land}?", (city,), facts=(land,), hops=1)
    for land, city in CAPITALS.items()
]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dysk]:
    with Workspace(tmp_path_factory.mktemp("data")) as workspace:
        try:
            workspace.warm()
        except ModelUnavailable as error:
            pytest.skip(f"the models are not installed: {error}")
        yield workspace.graph("bench", create=True)


def test_facts_are_read_where_the_model_alone_knows_nothing(graph: Dysk, tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    facts = [
        {"id": land, "subject": land, "relation": "capital", "object": city}
        for land, city in CAPITALS.items()
    ]
    path.write_text("".join(json.dumps(fact) + "\n" for fact in facts), "utf-8")
    loaded = load_facts(graph, path)
    samples = run(
        graph,
        QUESTIONS,
        choose_systems("closed_book,rag,attention,hybrid"),
        revision=loaded.revision,
        folder=tmp_path,
    )
    assert not [
        sample.error for of_system in samples.values() for sample in of_system if sample.error
    ]
    assert not any(sample.correct for sample in samples["closed_book"])
    assert all(sample.correct and sample.hit_at_1 for sample in samples["attention"])
    for sample in (*samples["attention"], *samples["rag8"]):
        assert sample.ttft_ms is not None
        assert sample.latency_ms is not None
        assert 0 < sample.ttft_ms <= sample.latency_ms

    result = measure(graph, questions_from(graph, 1, seed=0), candidates=32, rounds=1)
    assert result.modes["closed_book"].knowledge_tokens == 0
    assert result.modes["attention"].knowledge_tokens > 0
    assert result.modes["rag"].prompt_tokens > result.modes["attention"].prompt_tokens


@pytest.mark.slow
@pytest.mark.skipif(
    not entry_points(group="dysk.commands", name="serve"),
    reason="dysk is not installed here: run make",
)
def test_a_write_through_the_service_is_known_to_the_next_ask(graph: Dysk, tmp_path: Path) -> None:
    with served(tmp_path) as client:
        result = measure_writes(client, 3)
    assert result.answered
    assert result.evidence_first == result.expected
