from __future__ import annotations

from dataclasses import replace
from math import log

import pytest
import torch

from benchmarks.rivals.blocks import SCALE
from benchmarks.rivals.entries import ENTRIES, Entry, build
from benchmarks.rivals.prompt import demonstrations
from benchmarks.rivals.protocol import Models
from benchmarks.schema import Question
from dysk.attention import Reading
from graph.fact import Fact

OLD = Fact("f1", "Norland", "king", "Bob", valid_to="2020")
NEW = Fact("f2", "Norland", "king", "Ada", valid_from="2020")
OTHER = Fact("f3", "Estmark", "queen", "Eve")
WHO = Question("q1", "Who is the king of Norland?", ("Ada",), facts=("f2",))
BY_NAME = {entry.name: entry for entry in ENTRIES}
BLOCKS = [entry for entry in ENTRIES if entry.kind in ("kblam", "kv_reuse")]
READING = [entry for entry in ENTRIES if not entry.is_taught]
FINDING = [entry for entry in READING if entry.kind != "oracle"]
TAUGHT = [entry for entry in ENTRIES if entry.is_taught]


def named(entry: Entry) -> str:
    return entry.name


@pytest.mark.parametrize("entry", READING, ids=named)
def test_every_rival_learns_answers_and_shows_what_it_read(entry: Entry, models: Models) -> None:
    rival = build(entry, models)
    for fact in (OLD, NEW, OTHER):
        rival.update(fact)
    answer = rival.ask(WHO)
    assert answer.status == "answered"
    assert answer.mode == entry.mode
    assert answer.evidence[0].fact_id == "f2"
    assert answer.usage.prompt_tokens > 0
    assert answer.timings_ms["total"] > 0


@pytest.mark.parametrize("entry", READING, ids=named)
def test_no_rival_reads_what_no_longer_holds_unless_asked_about_then(
    entry: Entry, models: Models
) -> None:
    rival = build(entry, models)
    rival.update(OLD)
    rival.update(NEW)
    now = [each.fact_id for each in rival.ask(WHO).evidence]
    then = [each.fact_id for each in rival.ask(replace(WHO, as_of="2019", facts=("f1",))).evidence]
    assert (now, then) == (["f2"], ["f1"])


@pytest.mark.parametrize("entry", FINDING, ids=named)
def test_a_new_version_replaces_the_old_and_a_retracted_fact_is_gone(
    entry: Entry, models: Models
) -> None:
    rival = build(entry, models)
    rival.update(NEW)
    rival.update(replace(NEW, object="Eve"))
    assert [each.object for each in rival.ask(WHO).evidence] == ["Eve"]
    rival.update(replace(NEW, status="retracted"))
    assert rival.ask(WHO).status == "abstained"


def test_an_oracle_reads_the_gold_facts_and_asks_the_rest_closed_book(models: Models) -> None:
    rival = build(BY_NAME["oracle"], models)
    for fact in (NEW, OTHER):
        rival.update(fact)
    assert [e.fact_id for e in rival.ask(replace(WHO, facts=("f3",))).evidence] == ["f3"]
    unknown = rival.ask(replace(WHO, facts=()))
    assert (unknown.mode, unknown.evidence) == ("closed_book", ())


@pytest.mark.parametrize(
    ("name", "read"), [("bm25_rag1", 1), ("fused_rag8", 8), ("kv_reuse8", 8), ("kblam", 12)]
)
def test_a_rival_reads_as_many_facts_as_its_name_says(name: str, read: int, models: Models) -> None:
    rival = build(BY_NAME[name], models)
    for number in range(12):
        rival.update(Fact(f"g{number}", "Norland", f"king {number}", "Ada"))
    assert len(rival.ask(WHO).evidence) == read


@pytest.mark.parametrize("entry", BLOCKS, ids=named)
def test_blocks_are_read_all_at_once_at_the_temperature_of_text(
    entry: Entry, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[Reading] = []
    speak = models.language.speak

    def watched(*args, reading, **options):  # type: ignore[no-untyped-def]
        readings.append(reading)
        return speak(*args, reading=reading, **options)

    monkeypatch.setattr(models.language, "speak", watched)
    rival = build(entry, models)
    rival.update(NEW)
    rival.update(OTHER)
    answer = rival.ask(WHO)
    [reading] = readings
    assert reading.k == reading.candidates.shape[1] == len(answer.evidence)
    assert reading.temperature == 1
    tokens = int(models.language.memory.length[reading.candidates].sum())
    assert answer.usage.knowledge_tokens == tokens
    shift = log(SCALE) - log(tokens) if entry.kind == "kblam" else 0
    assert reading.gate == pytest.approx(shift)


@pytest.mark.parametrize("entry", TAUGHT, ids=named)
def test_who_is_taught_answers_without_reading_and_leaves_the_shared_model_as_it_was(
    entry: Entry, models: Models
) -> None:
    before = [each.clone() for each in models.language.model.parameters()]
    rival = build(entry, models)
    rival.update(NEW)
    answer = rival.ask(WHO)
    assert (answer.status, answer.mode, answer.evidence) == ("answered", entry.mode, ())
    after = models.language.model.parameters()
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_demonstrations_are_the_same_each_time_and_of_all_three_kinds() -> None:
    text = demonstrations()
    assert text == demonstrations()
    assert text.count("New fact: ") == text.count("Question: ") == 6
    assert "Question: What is the capital of France?\nAnswer: Paris" in text


def test_a_rival_needs_a_ring(models: Models) -> None:
    with pytest.raises(TypeError, match="need a Ring"):
        BY_NAME["oracle"].ask(object(), WHO, 1)  # type: ignore[arg-type]
