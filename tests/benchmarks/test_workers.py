"""Asking in several processes answers as asking in one does, and fails as clearly."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.schema import Question
from benchmarks.systems import choose_systems
from benchmarks.workers import Job, ask_in_processes
from dysk.errors import ModelUnavailable
from dysk.workspace import Workspace

pytestmark = pytest.mark.models

CAPITALS = {"Norland": "Quillport", "Estmark": "Sornhaven", "Ilovia": "Trellmouth"}
QUESTIONS = [
    Question(f"q-{land}", f"What is the capital of {land}?", (city,), facts=(land,), hops=1)
    for land, city in CAPITALS.items()
]


def job(folder: Path, model: str | None = None) -> Job:
    with Workspace(folder) as workspace:
        graph = workspace.graph("bench", create=True)
        for land, city in CAPITALS.items():
            graph.add(land, "capital", city, id=land)
        return Job(folder, "bench", graph.store.revision, tuple(choose_systems("attention")), model)


@pytest.mark.usefixtures("real_models")
def test_two_processes_answer_every_question_in_order(tmp_path: Path) -> None:
    answered = list(ask_in_processes(job(tmp_path), QUESTIONS, workers=2))
    assert [[sample.id for sample in of_question] for of_question in answered] == [
        [question.id] for question in QUESTIONS
    ]
    assert all(sample.correct and not sample.error for (sample,) in answered)


@pytest.mark.usefixtures("real_models")
def test_a_missing_model_is_named(tmp_path: Path) -> None:
    missing = job(tmp_path / "data", model=str(tmp_path / "nowhere"))
    with pytest.raises(ModelUnavailable, match="nowhere"):
        list(ask_in_processes(missing, QUESTIONS, workers=2))
