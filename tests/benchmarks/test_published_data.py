"""The data sets that the benchmarks were written for, where they lie beside the source tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.load import EVENT, WITHIN_PERIOD, load_facts
from benchmarks.metrics import score
from benchmarks.schema import read_questions
from graph.memory import MemoryStore
from tests.benchmarks.fake import FakeDysk

DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the data sets are not there: put them into ../shared/data"
)


@pytest.mark.parametrize(
    ("name", "events", "within", "refused"),
    [
        ("congress", 0, 0, 0),
        ("timeqa", 0, 9, 0),
        ("entityq", 0, 0, 0),
        ("mquake_hard", 0, 0, 0),
        pytest.param("yago11k", 4806, 209, 0, marks=pytest.mark.slow),
    ],
)
def test_every_fact_is_stored(name: str, events: int, within: int, refused: int) -> None:
    path = DATA / name / "facts.jsonl"
    with MemoryStore() as store:
        report = load_facts(FakeDysk(store), path)
        assert store.snapshot().count() == report.added
    assert report.normalised == {EVENT: events, WITHIN_PERIOD: within}
    assert report.skipped == refused
    assert report.added + report.unchanged == len(path.read_bytes().splitlines())


@pytest.mark.parametrize("name", ["congress", "timeqa", "yago11k", "entityq", "mquake_hard"])
def test_a_question_is_answered_by_its_own_answer_alone(name: str) -> None:
    for question in read_questions(DATA / name / "questions.jsonl"):
        for answer in question.answers:
            verdict = score(question, f"It is {answer}.", abstained=False)
            assert verdict.correct
            assert not verdict.stale


def test_questions_without_an_answer_want_an_abstention() -> None:
    questions = read_questions(DATA / "timeqa" / "unanswerable.jsonl")
    assert {question.kind for question in questions} == {"unanswerable"}
