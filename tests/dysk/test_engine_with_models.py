"""The promises, kept with the real models over the example graph. Each ask takes a second."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from dysk import Dysk, Workspace
from dysk.answer import Mode
from dysk.engine import UNKNOWN
from dysk.grounding import speaks
from graph import parse_date
from tests.dysk.engines import added

pytestmark = pytest.mark.models

EXAMPLE = Path(__file__).parents[2] / "examples" / "world.jsonl"


@pytest.fixture(scope="module")
def world(real_models: Workspace) -> Iterator[Dysk]:
    """The example graph. Tests add what nobody else asks about."""
    graph = real_models.graph("example", create=True)
    report = graph.import_lines(EXAMPLE.read_bytes().splitlines())
    assert report.bad_total == 0
    graph.set_relation("mayor", cardinality="one")
    yield graph
    real_models.delete("example")


def test_promise_1_what_was_written_is_spoken_at_once(world: Dysk) -> None:
    question = "Who is the mayor of Quillport?"
    for mayor, since in (("Ada Brennick", "2020"), ("Tomas Verhoult", "2024")):
        receipt = world.add("Quillport", "mayor", mayor, valid_from=since)
        answer = world.ask(question, min_revision=receipt.revision)
        assert speaks(answer.text, mayor)
        assert (answer.status, answer.grounded) == ("answered", True)
        assert [e.object for e in answer.evidence] == [mayor]
    assert speaks(world.ask(question, as_of="2022").text, "Ada Brennick")


def test_promise_2_words_and_evidence_are_of_one_revision_under_writes(world: Dysk) -> None:
    fact_id = added(world, "Sornhaven", "mayor", "Ida Kelm")
    stop = threading.Event()

    def write() -> None:
        for number in range(10_000):
            if stop.wait(0.01):
                return
            world.correct(fact_id, object=("Odo Brandt", "Ida Kelm")[number % 2])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        answers = [world.ask("Who is the mayor of Sornhaven?") for _ in range(3)]
    finally:
        stop.set()
        writer.join()
    for answer in answers:
        with world.store.snapshot(revision=answer.revision) as snapshot:
            (held,) = snapshot.slots([("Sornhaven", "mayor")], parse_date(answer.as_of)).values()
        assert [e.object for e in answer.evidence] == [held[0].object]
        assert speaks(answer.text, held[0].object)


def test_asks_at_once_say_what_each_says_alone(world: Dysk) -> None:
    asked: list[tuple[str, Mode]] = [
        ("What is the capital of Kazakhstan?", "attention"),
        ("What was the capital of Kazakhstan in 2020?", "attention"),
        ("Who is the head of government of the United Kingdom?", "hybrid"),
        ("What is the tallest building in the world?", "rag"),
        ("Who was Chancellor of Germany in 2010?", "attention"),
        ("What is the capital of France?", "closed_book"),
    ]

    def ask(question: str, mode: Mode) -> tuple[str, list[float | None]]:
        answer = world.ask(question, mode=mode)
        return answer.text, [e.attention for e in answer.evidence]

    alone = [ask(*one) for one in asked]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda one: ask(*one), asked * 2))
    for (text, shares), (expected, expected_shares) in zip(together, alone * 2, strict=True):
        assert text == expected
        assert shares == pytest.approx(expected_shares, abs=1e-3)


def test_promise_3_asks_leave_the_logits_bit_identical(world: Dysk, real_models: Workspace) -> None:
    model = real_models.model()
    ids = torch.tensor([model.question_ids("What is the capital of France?", closed=True)])
    with torch.inference_mode():
        before = model.model(ids).logits
        world.ask("What is the capital of Kazakhstan?")
        world.ask("What is the capital of Kazakhstan?", mode="hybrid")
        after = model.model(ids).logits
    assert torch.equal(before, after)


def test_promise_6_the_past_is_asked_about_in_words_or_by_as_of(world: Dysk) -> None:
    now = world.ask("What is the capital of Kazakhstan?")
    assert now.evidence[0].object == "Astana"
    then = world.ask("What was the capital of Kazakhstan in 2020?")
    assert (then.as_of, then.evidence[0].object) == ("2020", "Nur-Sultan")
    assert then.time_interpretation
    earlier = world.ask("What is the capital of Kazakhstan?", as_of="1995")
    assert speaks(earlier.text, "Almaty")


def test_promise_7_what_was_erased_is_spoken_no_more(world: Dysk) -> None:
    question = "Who is the mayor of Trellmouth?"
    fact_id = added(world, "Trellmouth", "mayor", "Cyrus Vane", aliases=("Trell by the Sea",))
    assert speaks(world.ask(question).text, "Cyrus Vane")
    world.erase(fact_id)
    answer = world.ask(question)
    assert "Cyrus" not in str(answer)
    assert fact_id not in [e.fact_id for e in answer.evidence]
    assert world.syncer().mentions.find("Where is Trell by the Sea?") == []


def test_promise_8_evidence_is_shown_with_the_attention_that_it_received(world: Dysk) -> None:
    answer = world.ask("Who is the head of government of the United Kingdom?")
    shares = [e.attention for e in answer.evidence]
    assert all(share is not None and 0 <= share <= 1 for share in shares)
    assert sum(share or 0 for share in shares) <= 1
    assert (shares[0] or 0) > 0.02  # the heads that chose it do look at it
    assert answer.evidence[0].source == "https://www.gov.uk/government/people/keir-starmer"


def test_promise_8_strict_speaks_an_object_of_the_evidence_and_nothing_else(world: Dysk) -> None:
    question = "What is the tallest building in the world?"
    answer = world.ask(question, grounding="strict")
    assert answer.text in [e.object for e in answer.evidence]
    assert (answer.status, answer.grounded) == ("answered", True)


def test_promise_8_facts_that_disagree_are_a_conflict(world: Dysk) -> None:
    first = added(world, "Estmark", "mayor", "Lena Orlow")
    second = added(world, "Estmark", "mayor", "Piet Amsel", on_conflict="coexist")
    answer = world.ask("Who is the mayor of Estmark?")
    assert answer.status == "conflict"
    assert set(answer.conflicts) == {first, second}


@pytest.mark.parametrize("mode", ["rag", "attention"])
def test_a_question_that_the_graph_knows_nothing_about_abstains(world: Dysk, mode: str) -> None:
    answer = world.ask("How long should pasta be boiled?", mode=mode)  # type: ignore[arg-type]
    assert (answer.status, answer.text, answer.evidence) == ("abstained", UNKNOWN, ())
    assert answer.usage.prompt_tokens == 0


def test_each_mode_reads_in_its_own_way(world: Dysk) -> None:
    world.add("Ilovia", "mayor", "Rosa Tindel")
    question = "Who is the mayor of Ilovia?"
    closed = world.ask(question, mode="closed_book")
    assert not speaks(closed.text, "Rosa Tindel")
    assert closed.evidence == ()
    for top_k in (1, 8):
        rag = world.ask(question, mode="rag", top_k=top_k)
        assert len(rag.evidence) == top_k
        assert rag.evidence[0].object == "Rosa Tindel"
        assert rag.usage.knowledge_tokens == 0
    attention = world.ask(question)
    hybrid = world.ask(question, mode="hybrid")
    for answer in (attention, hybrid):
        assert speaks(answer.text, "Rosa Tindel")
        assert answer.usage.knowledge_tokens > 0
    assert attention.usage.prompt_tokens < hybrid.usage.prompt_tokens < rag.usage.prompt_tokens
    assert 0 < attention.usage.completion_tokens <= 48
    assert attention.timings_ms["total"] > attention.timings_ms["decode"] > 0
