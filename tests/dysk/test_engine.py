"""The promises of the engine (README) that need no trained model: a random one keeps them too."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from dysk.answer import Answer, Mode
from dysk.engine import UNKNOWN
from dysk.errors import InvalidQuestion, RevisionNotReached
from dysk.language_model import LanguageModel
from graph import InvalidTime, Period, parse_date
from tests.contracts.clock import Clock
from tests.dysk.engines import KING, QUESTION, READING, World, objects

# -- promise 1: acknowledged means stored and answerable ------------------------------------------


def test_promise_1_a_write_is_read_by_the_next_ask(world: World) -> None:
    for king in ("Alfin", "Charles", "Karl"):
        world.add("Zembla", KING, king)
        revision = world.store.revision
        answer = world.ask(QUESTION, min_revision=revision)
        assert objects(answer) == [king]
        assert answer.revision == revision


def test_promise_1_a_revision_that_is_not_recorded_is_refused(world: World) -> None:
    world.add("Zembla", KING, "Charles")
    with pytest.raises(RevisionNotReached, match=r"revision 3 is not recorded yet.* at 2"):
        world.ask(QUESTION, min_revision=3)


# -- promise 2: one answer, one revision ----------------------------------------------------------


def test_promise_2_an_answer_agrees_with_its_revision_while_a_writer_changes_the_fact(
    world: World,
) -> None:
    fact_id = world.add("Zembla", KING, "Alfin", "1900")
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.wait(0.01):
            number += 1
            world.correct(fact_id, object=f"Charles {number}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        answers: list[Answer] = []
        while len({answer.revision for answer in answers}) < 4 and len(answers) < 500:
            answers.append(world.ask(QUESTION, mode=READING[len(answers) % 3], max_tokens=1))
    finally:
        stop.set()
        writer.join()
    assert len({answer.revision for answer in answers}) == 4
    for answer in answers:
        with world.store.snapshot(revision=answer.revision) as snapshot:
            (held,) = snapshot.slots([("Zembla", KING)], parse_date(answer.as_of)).values()
        assert [e.fact_id for e in answer.evidence] == [fact.id for fact in held]
        assert objects(answer) == [fact.object for fact in held]


# -- promise 3: no side effects -------------------------------------------------------------------


def logits(model: Any) -> Tensor:
    with torch.inference_mode():
        found: Tensor = model(torch.arange(5, 30)[None]).logits
    return found


def test_promise_3_asks_leave_the_model_bit_identical(
    world: World, tiny_model: LanguageModel, tmp_path_factory: pytest.TempPathFactory
) -> None:
    untouched: Any = AutoModelForCausalLM.from_pretrained(
        tiny_model.model.config._name_or_path, dtype=torch.float32, attn_implementation="sdpa"
    )
    before = {name: value.clone() for name, value in tiny_model.model.state_dict().items()}
    closed = world.ask(QUESTION, mode="closed_book", max_tokens=8)
    world.add("Zembla", KING, "Charles")
    for mode in READING:
        world.ask(QUESTION, mode=mode)
    assert torch.equal(logits(tiny_model.model), logits(untouched.eval()))
    for name, value in tiny_model.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert world.ask(QUESTION, mode="closed_book", max_tokens=8).text == closed.text


class Passes:
    """Counts forward passes."""

    def __init__(self, model: LanguageModel) -> None:
        self.count = 0
        self._hook = model.model.model.layers[0].register_forward_pre_hook(self._on_pass)

    def _on_pass(self, *_: object) -> None:
        self.count += 1

    def remove(self) -> None:
        self._hook.remove()


@pytest.mark.parametrize("mode", READING)
def test_promise_3_an_abstained_ask_runs_no_forward_pass(
    world: World, tiny_model: LanguageModel, mode: Mode
) -> None:
    world.add("Borduria", "anthem", "Amaih")
    passes = Passes(tiny_model)
    try:
        answer = world.ask("What is 17 times 3?", mode=mode)
        assert (answer.status, answer.text, answer.evidence) == ("abstained", UNKNOWN, ())
        assert passes.count == 0
        world.ask("What is the anthem of Borduria?", mode=mode)
        assert passes.count > 0
    finally:
        passes.remove()


# -- promise 6: time is data ----------------------------------------------------------------------


def test_promise_6_as_of_asks_what_was_true_then(world: World) -> None:
    world.add("Zembla", KING, "Alfin", "1900", "1919")
    world.add("Zembla", KING, "Charles", "1936")
    assert objects(world.ask(QUESTION)) == ["Charles"]
    assert objects(world.ask(QUESTION, as_of="1905-03")) == ["Alfin"]
    assert world.ask(QUESTION, as_of="1925").status == "abstained"
    assert objects(world.ask(QUESTION, as_of="1919")) == []  # valid_to is exclusive
    assert objects(world.ask(QUESTION, as_of="1936")) == ["Charles"]


def test_promise_6_the_time_in_a_question_counts_unless_as_of_is_given(world: World) -> None:
    world.add("Zembla", KING, "Alfin", "1900", "1919")
    world.add("Zembla", KING, "Charles", "1936")
    asked = world.ask("Who was the king of Zembla in 1905?")
    assert objects(asked) == ["Alfin"]
    assert asked.as_of == "1905"
    assert asked.time_interpretation is not None
    assert "1905" in asked.time_interpretation
    given = world.ask("Who was the king of Zembla in 1905?", as_of="1950")
    assert objects(given) == ["Charles"]
    assert given.time_interpretation is None


def test_promise_6_known_at_asks_what_was_believed_then(tiny_model: LanguageModel) -> None:
    clock = Clock()
    with World(tiny_model, clock=clock) as world:
        clock.move(days=1)
        fact_id = world.add("Zembla", KING, "Odon")
        clock.move(days=1)
        world.correct(fact_id, object="Charles")
        clock.move(days=1)
        world.retract(fact_id)
        assert world.ask(QUESTION).status == "abstained"
        assert objects(world.ask(QUESTION, known_at="2026-11-26")) == ["Charles"]
        assert objects(world.ask(QUESTION, known_at="2026-11-25")) == ["Odon"]
        assert world.ask(QUESTION, known_at="2026-11-24").status == "abstained"
        assert world.ask(QUESTION, known_at="2026-11-25").revision == 2


# -- promise 8: every answer shows its evidence ---------------------------------------------------


@pytest.mark.parametrize("top_k", [1, 2, 9])
def test_promise_8_shares_of_attention_lie_in_0_to_1_and_sum_to_at_most_1(
    world: World, top_k: int
) -> None:
    for place in ("Onhava", "Kobaltana", "Bera"):
        world.add("Zembla", "town", place)
    answer = world.ask("What is a town of Zembla?", top_k=top_k)
    shares = [evidence.attention for evidence in answer.evidence]
    assert len(shares) == min(top_k, 3)
    assert all(share is not None and 0 <= share <= 1 for share in shares)
    assert 0 < sum(share or 0 for share in shares) <= 1


def test_promise_8_what_was_not_read_by_attention_has_no_share(world: World) -> None:
    world.add("Zembla", KING, "Charles", source="Pale Fire")
    (evidence,) = world.ask(QUESTION, mode="rag").evidence
    assert evidence.attention is None
    assert (evidence.text, evidence.source) == ("The king of Zembla is Charles.", "Pale Fire")


def test_promise_8_words_that_no_fact_supports_are_not_grounded(world: World) -> None:
    world.add("Zembla", KING, "Charles")
    checked = world.ask(QUESTION)
    assert (checked.status, checked.grounded) == ("answered", False)
    assert checked.text != UNKNOWN
    assert world.ask(QUESTION, grounding="off").grounded is None
    assert world.ask(QUESTION, mode="closed_book").grounded is None


def test_promise_8_facts_of_a_one_relation_that_disagree_are_a_conflict(world: World) -> None:
    first = world.add("Zembla", KING, "Charles")
    second = world.add("Zembla", KING, "Odon", on_conflict="coexist")
    answer = world.ask(QUESTION)
    assert answer.status == "conflict"
    assert set(answer.conflicts) == {first, second}
    assert {e.fact_id for e in answer.evidence} == {first, second}


def test_promise_8_facts_of_a_many_relation_or_of_other_times_do_not_conflict(
    world: World,
) -> None:
    world.add("Zembla", "town", "Onhava")
    world.add("Zembla", "town", "Kobaltana")
    world.add("Zembla", KING, "Alfin", "1900")
    world.add("Zembla", KING, "Charles", "1936")
    for question in ("What is a town of Zembla?", QUESTION, "Who was king of Zembla in 1936?"):
        answer = world.ask(question)
        assert (answer.status, answer.conflicts) == ("answered", ())


# -- modes, cost, abstaining, bad input -----------------------------------------------------------


def test_each_mode_says_what_it_read_and_what_it_cost(world: World) -> None:
    world.add("Zembla", KING, "Charles")
    answers = {
        mode: world.ask(QUESTION, mode=mode)
        for mode in ("closed_book", "rag", "attention", "hybrid")
    }
    for mode, answer in answers.items():
        assert (answer.mode, answer.status) == (mode, "answered")
        assert set(answer.timings_ms) == {
            "time", "coarse", "encode", "select", "prefill", "decode", "total",
        }  # fmt: skip
        stages = sum(ms for stage, ms in answer.timings_ms.items() if stage != "total")
        assert 0 < stages <= answer.timings_ms["total"] + 0.1
        assert 0 <= answer.usage.completion_tokens <= 3
        assert objects(answer) == ([] if mode == "closed_book" else ["Charles"])
    tokens = {mode: answer.usage.prompt_tokens for mode, answer in answers.items()}
    assert tokens["attention"] < tokens["rag"] == tokens["hybrid"]
    known = {mode: answer.usage.knowledge_tokens for mode, answer in answers.items()}
    assert known["rag"] == known["closed_book"] == 0 < known["attention"] == known["hybrid"]


def test_top_k_bounds_the_prompt_of_rag_and_candidates_what_attention_chooses_from(
    world: World,
) -> None:
    for number in range(6):
        world.add("Zembla", "town", f"Onhava {number}")
    question = "What is a town of Zembla?"
    assert len(world.ask(question, mode="rag", top_k=5).evidence) == 5
    assert len(world.ask(question, candidates=2).evidence) == 2
    assert len(world.ask(question, candidates=1, top_k=4).evidence) == 1


@pytest.mark.parametrize("mode", READING)
def test_an_empty_graph_abstains(world: World, mode: Mode) -> None:
    answer = world.ask(QUESTION, mode=mode)
    assert (answer.status, answer.text, answer.revision) == ("abstained", UNKNOWN, 1)
    assert answer.usage.prompt_tokens == 0
    assert answer.grounded is None


def test_an_answer_is_a_json_object(world: World) -> None:
    world.add("Zembla", KING, "Charles")
    record = world.ask(QUESTION).to_dict()
    assert record["evidence"][0]["object"] == "Charles"
    assert set(record) >= {"answer", "status", "as_of", "revision", "usage", "timings_ms"}


@pytest.mark.parametrize(
    ("question", "options", "error"),
    [
        ("", {}, InvalidQuestion),
        ("Who\0?", {}, InvalidQuestion),
        ("Who? " * 900, {}, InvalidQuestion),
        ("Who? " * 100, {}, InvalidQuestion),  # more tokens than half of what the model reads
        (QUESTION, {"as_of": "soon"}, InvalidTime),
        (QUESTION, {"as_of": "2024-02-30"}, InvalidTime),
        (QUESTION, {"known_at": "soon"}, InvalidTime),
        (QUESTION, {"min_revision": 99}, RevisionNotReached),
    ],
)
def test_what_cannot_be_asked_is_refused_and_leaves_the_engine_usable(
    world: World, question: str, options: dict[str, Any], error: type[Exception]
) -> None:
    world.add("Who?", "answer", "Charles")
    world.add("Zembla", KING, "Charles")
    with pytest.raises(error):
        world.ask(question, **options)
    assert objects(world.ask(QUESTION)) == ["Charles"]


def test_asks_from_several_threads_take_turns(world: World) -> None:
    kings = {"Zembla": "Charles", "Borduria": "Muskar", "Syldavia": "Ottokar"}
    for country, king in kings.items():
        world.add(country, KING, king)
    wrong: list[object] = []

    def ask(country: str) -> None:
        try:
            for mode in READING:
                answer = world.ask(f"Who is the king of {country}?", mode=mode)
                if objects(answer)[0] != kings[country]:
                    wrong.append(answer)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=ask, args=(country,)) for country in kings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_period_that_was_asked_about_is_told(world: World) -> None:
    world.add("Zembla", KING, "Charles")
    asked: Period = parse_date(world.ask(QUESTION).as_of)
    assert asked.end - asked.start == 1  # now is a second
