from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.load import EVENT, WITHIN_PERIOD, load_facts
from benchmarks.results import summarise_system
from benchmarks.run import ask, draw, in_turn, run
from benchmarks.schema import BenchmarkError, Question, Sample
from benchmarks.systems import SYSTEMS, choose_systems
from dysk.answer import Answer
from dysk.errors import ModelUnavailable
from graph.memory import MemoryStore
from tests.benchmarks.fake import NOTHING, FakeDysk

FACTS = [
    {"id": "f1", "subject": "Norland", "relation": "leader", "object": "Bob", "valid_to": "2020"},
    {"id": "f2", "subject": "Norland", "relation": "leader", "object": "Ada", "valid_from": "2020"},
    {
        "id": "f3",
        "subject": "Estmark",
        "relation": "seat",
        "object": "Port Estmark",
        "valid_from": "1947",
        "valid_to": "1947",
        "property": "P36",
        "object_aliases": ["The Port"],
    },
    {
        "id": "f4",
        "subject": "Ilo",
        "relation": "died in",
        "object": "Sorn",
        "valid_from": "1999-05-03",
        "valid_to": "1999-05-03",
    },
    {"id": "f5", "subject": "Bad", "relation": "x", "object": "y", "valid_from": "soon"},
]
QUESTIONS = [
    Question("q1", "Who leads Norland?", ("Ada",), None, ("f2",), 1, "updated", ("Bob",)),
    Question("q2", "Who led Norland in 2019?", ("Bob",), "2019", ("f1",), 1, "interval"),
    Question("q3", "Where was Estmark's seat?", ("The Port", "Port Estmark"), "1947", ("f3",), 1),
    Question("q4", "Where did Ilo die?", ("Sorn",), None, ("f4",), 1, "unchanged"),
    Question("q5", "Who rules Atlantis?", (), None, (), None, "unanswerable"),
    Question("q6", "Who feeds the dragon of Norland?", ("Ada",), None, ("f2",), 1, "updated"),
]


@pytest.fixture
def graph() -> Iterator[FakeDysk]:
    with MemoryStore() as store:
        yield FakeDysk(store)


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    path = tmp_path / "facts.jsonl"
    path.write_text("".join(json.dumps(fact) + "\n" for fact in FACTS), "utf-8")
    return path


def test_facts_are_loaded_through_the_import_and_every_rule_is_counted(
    graph: FakeDysk, facts: Path
) -> None:
    report = load_facts(graph, facts)
    assert (report.added, report.unchanged, report.skipped) == (4, 0, 1)
    assert report.normalised == {EVENT: 1, WITHIN_PERIOD: 1}
    assert report.revision == graph.store.revision
    [(number, reason)] = report.reasons
    assert number == 5
    assert "soon" in reason
    with graph.store.snapshot() as snapshot:
        assert snapshot.get("f3").valid_to == "1948"
        assert dict(snapshot.get("f3").attributes) == {"property": "P36"}
        assert snapshot.aliases("Port Estmark") == ("The Port",)
        assert snapshot.get("f4").valid_to is None


def test_loading_again_changes_nothing(graph: FakeDysk, facts: Path) -> None:
    first = load_facts(graph, facts)
    again = load_facts(graph, facts)
    assert (again.added, again.unchanged, again.revision) == (0, first.added, first.revision)


def test_a_file_without_a_usable_fact_is_refused(graph: FakeDysk, tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_text("not json\n", "utf-8")
    with pytest.raises(BenchmarkError, match=r"facts\.jsonl holds no fact .*; line 1: "):
        load_facts(graph, path)


def test_a_full_run_writes_a_line_for_each_question_and_system(
    graph: FakeDysk, facts: Path, tmp_path: Path
) -> None:
    systems = choose_systems("closed_book,rag,attention,hybrid")
    loaded = load_facts(graph, facts)
    steps: list[None] = []
    samples = run(
        graph,
        QUESTIONS,
        systems,
        revision=loaded.revision,
        folder=tmp_path,
        progress=lambda: steps.append(None),
    )
    lines = (tmp_path / "samples.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert len(records) == len(steps) == len(QUESTIONS) * len(systems)
    assert {frozenset(record) for record in records} == {frozenset(f.name for f in fields(Sample))}
    written = Counter((record["system"], record["id"]) for record in records)
    assert set(written.values()) == {1}
    for name, of_system in samples.items():
        mine = [record for record in records if record["system"] == name]
        assert mine == [json.loads(sample.to_line()) for sample in of_system]
    assert not (tmp_path / "samples.jsonl.partial").exists()
    assert samples["attention"][0].usage == asdict(
        graph.ask(QUESTIONS[0].question, mode="attention").usage
    )


def test_a_run_scores_what_each_system_said(graph: FakeDysk, facts: Path, tmp_path: Path) -> None:
    loaded = load_facts(graph, facts)
    samples = run(
        graph,
        QUESTIONS,
        choose_systems("closed_book,attention"),
        revision=loaded.revision,
        folder=tmp_path,
    )
    read = {sample.id: sample for sample in samples["attention"]}
    assert [read[f"q{n}"].correct for n in range(1, 7)] == [True, True, True, True, True, False]
    assert read["q1"].hit_at_1 is True
    assert read["q5"].abstained
    assert read["q5"].output == NOTHING
    closed = {sample.id: sample for sample in samples["closed_book"]}
    assert (closed["q1"].correct, closed["q1"].stale) == (False, True)
    assert closed["q1"].hit_at_1 is None
    summary = summarise_system(samples["attention"])
    assert summary.overall.accuracy == pytest.approx(5 / 6)
    assert summary.overall.abstain_rate == pytest.approx(1 / 6)
    assert summary.overall.errors == 1
    assert summary.overall.ttft_ms is not None
    assert summary.overall.ttft_ms.p50 == 12
    assert set(summary.by_hops) == {"1"}


def test_every_system_is_warmed_up_before_the_first_question(
    graph: FakeDysk, facts: Path, tmp_path: Path
) -> None:
    loaded = load_facts(graph, facts)
    systems = choose_systems("closed_book,attention")
    run(graph, QUESTIONS[:1], systems, revision=loaded.revision, folder=tmp_path)
    modes = [(mode, question == QUESTIONS[0].question) for mode, question, _ in graph.asked]
    assert modes == [
        ("closed_book", False),
        ("attention", False),
        ("closed_book", True),
        ("attention", True),
    ]


def test_a_question_is_asked_at_its_own_time(graph: FakeDysk, facts: Path) -> None:
    loaded = load_facts(graph, facts)
    ask(graph, SYSTEMS["attention"], QUESTIONS[1], loaded.revision)
    assert graph.asked == [("attention", QUESTIONS[1].question, "2019")]


def test_an_ask_that_fails_becomes_a_wrong_sample(graph: FakeDysk, facts: Path) -> None:
    loaded = load_facts(graph, facts)
    sample = ask(graph, SYSTEMS["attention"], QUESTIONS[5], loaded.revision)
    assert sample.error == "invalid_question: ask about something else"
    assert (sample.correct, sample.hit_at_1, sample.ttft_ms, sample.output) == (
        False,
        False,
        None,
        "",
    )


def test_a_revision_that_the_graph_never_reached_is_an_error_of_the_sample(
    graph: FakeDysk,
) -> None:
    sample = ask(graph, SYSTEMS["attention"], QUESTIONS[0], 99)
    assert sample.error is not None
    assert sample.error.startswith("revision_not_reached")


class WithoutModel(FakeDysk):
    """A graph where no language model is installed."""

    def ask(self, question: str, **options: object) -> Answer:
        raise ModelUnavailable("install one")


def test_a_missing_model_stops_the_run(tmp_path: Path) -> None:
    with MemoryStore() as store, pytest.raises(ModelUnavailable):
        run(
            WithoutModel(store),
            QUESTIONS,
            choose_systems("attention"),
            revision=0,
            folder=tmp_path,
        )
    assert not (tmp_path / "samples.jsonl").exists()


@given(st.integers(1, 40), st.integers(1, 40), st.integers())
def test_a_draw_is_the_sample_that_the_seed_gives(total: int, limit: int, seed: int) -> None:
    every = [Question(f"q{n}", "Who?", ("Ada",)) for n in range(total)]
    drawn = draw(every, limit, seed)
    assert drawn == (random.Random(seed).sample(every, limit) if limit < total else every)
    assert draw(every, None, seed) == every


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(BenchmarkError, match="give a number from 1 up"):
        draw(QUESTIONS, limit, 0)


@given(st.integers(0, 30), st.integers(1, len(SYSTEMS)))
def test_every_question_goes_to_every_system_once(number: int, width: int) -> None:
    systems = list(SYSTEMS.values())[:width]
    assert sorted(s.name for s in in_turn(number, systems)) == sorted(s.name for s in systems)


@given(st.integers(1, len(SYSTEMS)))
def test_no_system_is_always_before_another(width: int) -> None:
    systems = list(SYSTEMS.values())[:width]
    turns = [in_turn(number, systems) for number in range(2 * width)]
    assert all(there == back[::-1] for there, back in zip(turns[::2], turns[1::2], strict=True))
    assert Counter(turn[0].name for turn in turns) == {system.name: 2 for system in systems}
