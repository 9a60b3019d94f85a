from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.schema import BenchmarkError, Sample
from benchmarks.systems import choose_systems
from benchmarks.tasks.invented import edits
from benchmarks.tasks.sequence import PROBES, Stage, erased_texts, residue, run_sequence
from graph.fact import Command, Fact
from graph.interval import now_period, parse_date
from graph.memory import MemoryStore
from graph.sqlite import SQLiteStore
from graph.store import FactStore, Receipt
from tests.benchmarks.fake import FakeDysk

SYSTEMS = choose_systems("closed_book,attention")


class Told(FakeDysk):
    """A graph to write to; ``told`` is what rivals heard. It knows a fact when subject and
    relation are in the question, or any fact of the subject for another wording.
    """

    def __init__(self, store: FactStore) -> None:
        super().__init__(store)
        self.told: list[Fact] = []

    def apply(self, commands: Sequence[Command]) -> Receipt:
        return self.store.apply(commands)

    def tell(self, facts: Sequence[Fact]) -> None:
        self.told.extend(facts)


@pytest.fixture
def graph() -> Iterator[Told]:
    with MemoryStore() as store:
        yield Told(store)


def stages(graph: Told, counts: Sequence[int]) -> list[Stage]:
    return list(run_sequence(graph, SYSTEMS, counts=counts, seed=3))


def kinds(samples: list[Sample]) -> dict[str, int]:
    found: dict[str, int] = {}
    for sample in samples:
        found[sample.kind] = found.get(sample.kind, 0) + 1
    return found


def test_each_stage_asks_the_new_the_first_and_the_untouched(graph: Told) -> None:
    first, second, removal = stages(graph, [2, 30])
    assert kinds(first.samples["attention"]) == {
        "efficacy": 2,
        "generalisation": 2,
        "locality": PROBES,
    }
    assert kinds(second.samples["attention"]) == {
        "efficacy": PROBES,
        "generalisation": PROBES,
        "retention": 2,
        "locality": PROBES,
    }
    assert kinds(removal.samples["attention"]) == {
        "retracted": PROBES,
        "erased": PROBES,
        "out_of_order": PROBES,
        "out_of_order_then": PROBES,
        "locality": PROBES,
    }
    assert [stage.updates for stage in (first, second, removal)] == [2, 30, 30]
    assert set(first.samples) == {"closed_book", "attention"}


def test_an_update_is_in_the_graph_when_it_is_asked_about_and_the_old_one_is_stale(
    graph: Told,
) -> None:
    first, *_ = stages(graph, [1])
    [sample] = [each for each in first.samples["attention"] if each.kind == "efficacy"]
    world = {edit.plain: edit for edit in edits(1, 3)}
    edit = world[sample.question]
    assert (sample.answers, sample.old_answers) == ((edit.new,), (edit.old,))
    with graph.store.snapshot() as snapshot:
        assert snapshot.get(f"{edit.id}-old").superseded_by == f"{edit.id}-new"


def test_what_is_told_late_is_true_of_its_own_time_alone(graph: Told) -> None:
    *_, removal = stages(graph, [1])
    asked = {each.id: each for each in removal.samples["attention"]}
    late = [each for each in asked.values() if each.kind == "out_of_order"]
    for now in late:
        then = asked[now.id.replace("out_of_order", "out_of_order_then")]
        assert (now.answers, now.old_answers) == (then.old_answers, then.answers)
        for sample in (now, then):
            moment = now_period() if sample.as_of is None else parse_date(sample.as_of)
            with graph.store.snapshot() as snapshot:
                [fact] = [f for f in snapshot.facts(as_of=moment) if f.id in sample.gold_facts]
            assert (fact.object,) == sample.answers
    assert len(late) == PROBES


def test_rivals_hear_of_every_version_and_of_what_was_removed(graph: Told) -> None:
    stages(graph, [2])
    latest = {fact.id: fact for fact in graph.told}
    with graph.store.snapshot() as snapshot:
        for fact in snapshot.facts():
            assert latest[fact.id] == fact
        stored = {fact.id for fact in snapshot.facts()}
    gone = [fact for fact in latest.values() if fact.id not in stored]
    assert len(gone) == 2 * PROBES
    assert all(fact.interval.start == fact.interval.end for fact in gone)


def test_the_time_until_an_update_is_answered_is_taken_for_every_system(graph: Told) -> None:
    *updating, removal = stages(graph, [1, 2])
    for stage in updating:
        assert all(times is not None and times.p50 > 0 for times in stage.visible_ms.values())
    assert set(removal.visible_ms.values()) == {None}


@pytest.mark.parametrize("counts", [[], [0], [2, 1], [1, 1]])
def test_counts_that_do_not_rise_are_refused(graph: Told, counts: list[int]) -> None:
    with pytest.raises(BenchmarkError, match="must rise"):
        stages(graph, counts)


def test_nothing_of_what_is_erased_is_left_in_the_files_and_residue_would_tell(
    tmp_path: Path,
) -> None:
    texts = erased_texts([2], 3)
    assert len(texts) == PROBES
    with SQLiteStore(tmp_path / "graph.db") as store:
        running = run_sequence(Told(store), SYSTEMS, counts=[2], seed=3)
        next(running)
        assert set(residue(tmp_path, texts)) == set(texts)
        list(running)
        assert residue(tmp_path, texts) == {}


@given(st.integers(1, 60), st.integers(0, 5))
def test_no_name_of_an_invented_world_comes_twice(count: int, seed: int) -> None:
    world = edits(count, seed)
    objects = [name for edit in world for name in (edit.old, edit.new)]
    assert len(set(objects)) == len(objects)
    assert len({edit.plain for edit in world}) == len({edit.reworded for edit in world}) == count
    assert all(edit.subject in edit.reworded for edit in world)
    assert world == edits(count + 5, seed)[:count]
