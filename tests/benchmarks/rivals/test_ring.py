"""The ring over a real graph: dysk and rivals side by side, and rivals that hear of writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.results import read_results
from benchmarks.rivals.ring import Ring
from benchmarks.run import run
from benchmarks.schema import Question
from benchmarks.systems import SYSTEMS, choose_systems
from benchmarks.tasks.run import run_edits
from dysk import Workspace
from dysk.language_model import LanguageModel
from graph.fact import Add, Relation, SetRelation
from tests.benchmarks.small import use_small_models

WHO = Question("q1", "Who is the king of Norland?", ("Ada",), facts=("new",), hops=1)


@pytest.fixture
def workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_model: LanguageModel
) -> Iterator[Workspace]:
    use_small_models(monkeypatch, small_model)
    with Workspace(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def ring(workspace: Workspace) -> Ring:
    graph = workspace.graph("ring", create=True)
    graph.apply([SetRelation(Relation("king", "one"))])
    graph.apply([Add("Norland", "king", "Bob", "2001", id="old")])
    return Ring(graph, workspace)


def test_every_system_answers_in_one_run(
    ring: Ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("peft")
    monkeypatch.setattr("benchmarks.rivals.rome._TOKENS", 1024)
    receipt = ring.apply([Add("Norland", "king", "Ada", "2020", id="new")])
    systems = list(SYSTEMS.values())
    samples = run(ring, [WHO], systems, revision=receipt.revision, folder=tmp_path)
    assert [(name, s[0].error) for name, s in samples.items() if s[0].error] == []
    silent = ("closed_book", "rag1_strict", "attention_strict", "lora", "rome", "grace")
    reading = [name for name in samples if name not in silent]
    assert all(samples[name][0].hit_at_1 for name in reading)


def test_a_rival_hears_of_what_was_written_before_and_after_it_was_built(ring: Ring) -> None:
    [bm25] = choose_systems("bm25_rag8")

    def read() -> list[str]:
        return [each.object for each in bm25.ask(ring, WHO, 0).evidence]

    assert read() == ["Bob"]
    receipt = ring.apply([Add("Norland", "king", "Ada", "2020", id="new")])
    assert read() == ["Bob"]
    ring.tell([change.after for change in receipt.changes if change.after is not None])
    assert read() == ["Ada"]


def test_each_stage_of_the_edits_leaves_its_results_and_no_erased_byte(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.tasks.sequence.PROBES", 2)
    found = run_edits(
        workspace,
        choose_systems("attention,bm25_rag1"),
        counts=[1, 3],
        seed=0,
        folder=tmp_path,
    )
    assert list(found) == ["after 1", "after 3", "after removal"]
    last = read_results(tmp_path / "after-removal")
    assert last == found["after removal"]
    assert last.config["residue"] == {}
    assert last.config["updates"] == 3
    for system in last.systems.values():
        late = {"out_of_order", "out_of_order_then"}
        assert set(system.by_kind) == {"retracted", "erased", "locality"} | late
        assert system.overall.errors == 0
    visible = read_results(tmp_path / "after-3").config["visible_ms"]
    assert visible["attention"]["p50"] > 0
