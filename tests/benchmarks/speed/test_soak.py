from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.schema import BenchmarkError
from benchmarks.speed import soak as soaking
from benchmarks.speed.soak import _paced, _result, _Said, _Tally, soak, table
from dysk.answer import Answer
from graph.interval import now_period
from service.app import create_app
from service.settings import Settings
from tests.service.fakes import FakeGraph, FakeWorkspace
from tests.service.harness import on_a_port


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[FakeWorkspace]:
    with FakeWorkspace(tmp_path) as workspace:
        yield workspace


@pytest.fixture
def url(workspace: FakeWorkspace) -> Iterator[str]:
    with on_a_port(create_app(workspace, Settings(data=workspace.path))) as url:
        yield url


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soaking, "SAMPLE_SECONDS", 0.1)
    monkeypatch.setattr(soaking, "RECONNECT_SECONDS", 0.5)


def soaked(url: str) -> soaking.Soaked:
    return soak(url, minutes=0.05, asks=20, writes=40, followers=2, towns=3)


def answers_from(monkeypatch: pytest.MonkeyPatch, read: int | None = None) -> None:
    """Graphs answer from the revision ``read``, or from the latest, and name the latest."""

    def ask(self: FakeGraph, question: str, **_: object) -> Answer:
        town = question.removeprefix("Who is the mayor of ").removesuffix("?")
        snapshot = self.store.snapshot()
        known = snapshot if read is None else self.store.snapshot(revision=read)
        (mayor,) = {fact.object for fact in known.facts(subject=town, as_of=now_period())}
        return Answer(
            text=mayor,
            status="answered",
            mode="attention",
            as_of="2026",
            revision=snapshot.revision,
            evidence=(),
            grounded=True,
            timings_ms={"total": 1.0},
        )

    monkeypatch.setattr(FakeGraph, "ask", ask)


def test_a_service_that_keeps_up_is_sound(
    url: str, workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers_from(monkeypatch)
    result = soaked(url)
    assert result.sound, (result.first_error, result.first_wrong)
    assert result.asks > 5
    assert result.writes > 5
    assert result.reconnections >= 2
    assert workspace.graph().store.revision == 3 + result.writes
    assert result.commits_followed > result.writes
    assert result.memory_before > 1
    assert "errors: 0; wrong answers: 0" in table(result)


def test_an_answer_from_another_revision_than_it_names_is_wrong(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers_from(monkeypatch, 2)
    result = soaked(url)
    assert result.wrong_answers > 0
    assert not result.sound
    assert "Town, not " in table(result)


def test_what_the_service_refuses_is_an_error_with_its_reason(
    url: str, workspace: FakeWorkspace
) -> None:
    workspace.graph().failure = RuntimeError("no model")
    result = soaked(url)
    assert result.errors > 0
    assert "500" in str(result.first_error)
    assert not result.sound


def test_growth_is_told_from_what_follows_the_warm_up() -> None:
    memory = [100.0] * 4 + [200.0] * 4 + [205.0] * 8 + [220.0] * 4
    result = _result(1, _Tally(memory=memory))
    assert (result.memory_before, result.memory_after) == (200, 220)
    assert result.memory_growth_percent == 10


def test_an_answer_is_held_to_the_last_write_that_it_could_know() -> None:
    tally = _Tally(memory=[1.0])
    tally.held["Ayr"] += [(2, "Ann Ox"), (7, "Bo Elk")]
    tally.said += [_Said("Ayr", 6, "It is Ann Ox."), _Said("Ayr", 7, "It is Bo Elk.")]
    assert _result(1, tally).wrong_answers == 0
    tally.said.append(_Said("Ayr", 8, "It is Ann Ox."))
    assert _result(1, tally).first_wrong == "'It is Ann Ox.' of Ayr, not Bo Elk"


def test_pace_is_kept_until_it_is_over() -> None:
    over, beats = threading.Event(), 0
    for _ in _paced(1000, over):
        beats += 1
        if beats == 20:
            over.set()
    assert beats == 20


def test_too_short_a_time_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="at least 1"):
        soak("http://127.0.0.1:1", minutes=0.001, asks=1, writes=1, followers=0, towns=1)
