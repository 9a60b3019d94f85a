"""Who waits for whom when asks share forward passes, and what happens when one of them fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

import dysk.passes
from dysk.attention import Reading, attach
from dysk.interruption import Interrupted, interruptible
from dysk.language_model import LanguageModel
from dysk.passes import Passes, Step
from tests.dysk.attention.tiny import filled_memory, tiny
from tests.dysk.together import together

MEMORY = filled_memory()


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


class Watched:
    """A tiny model that notes how many tokens each of its passes has, and may be made to fail."""

    def __init__(self, model: Any = None) -> None:
        self.model = model or tiny("llama")
        self.passes = Passes(self.model, attach(self.model))
        self.rows: list[int] = []
        self.failures: list[BaseException] = []
        self.model.model.layers[1].register_forward_hook(self._note)

    def _note(self, module: object, given: tuple[Tensor], *_: object) -> None:
        self.rows.append(given[0].shape[1])
        if self.failures:
            raise self.failures.pop()


@pytest.fixture
def watched() -> Watched:
    return Watched()


def step(first: int, length: int = 3, *, candidates: Tensor | None = None) -> Step:
    reading = None if candidates is None else Reading(MEMORY, candidates, k=2, watched={0: [0]})
    return Step(list(range(first, first + length)), DynamicCache(), 0, 1, reading)


def steps() -> list[Step]:
    return [step(5), step(9, 4, candidates=torch.tensor([[0, 3]])), step(20, 2)]


def alone() -> list[Tensor]:
    passes = Watched().passes
    return [passes.run(one) for one in steps()]


def same(found: Tensor | BaseException, expected: Tensor) -> bool:
    return isinstance(found, Tensor) and torch.allclose(found, expected, rtol=1e-4, atol=1e-4)


def in_a_thread(passes: Passes, one: Step) -> tuple[threading.Thread, list[Tensor]]:
    """A thread that speaks one step, and what it gets."""
    found: list[Tensor] = []

    def run() -> None:
        with torch.inference_mode(), passes.speaking():
            found.append(passes.run(one))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, found


# -- whom a pass waits for ------------------------------------------------------------------------


def test_those_who_speak_share_one_pass(watched: Watched) -> None:
    found = together(watched.passes, steps())
    assert watched.rows == [9]
    assert all(map(same, found, alone()))


def test_who_speaks_alone_waits_for_nobody(watched: Watched) -> None:
    with watched.passes.speaking():
        watched.passes.run(step(5))
    watched.passes.run(step(5))
    assert watched.rows == [3, 3]


def test_a_pass_waits_for_who_speaks_but_not_for_who_has_ended(watched: Watched) -> None:
    with watched.passes.speaking():
        thread, found = in_a_thread(watched.passes, step(5))
        thread.join(0.1)
        assert not found
    thread.join(10)
    assert watched.rows == [3]
    assert len(found) == 1


def test_a_pass_waits_neither_for_who_gave_up_waiting(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken_off = step(9)

    def wait() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(broken_off, "turn", threading.Event())
    monkeypatch.setattr(broken_off.turn, "wait", wait)
    with watched.passes.speaking():
        thread, found = in_a_thread(watched.passes, step(5))
        with pytest.raises(KeyboardInterrupt), watched.passes.speaking():
            watched.passes.run(broken_off)
    thread.join(10)
    assert (len(found), watched.rows) == (1, [3])


def test_passes_are_bounded_and_a_longer_prompt_goes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dysk.passes, "MOST_TOKENS", 8)
    watched = Watched()
    wanted = [step(5, length) for length in (4, 4, 12, 2, 3, 3)]
    assert not [one for one in together(watched.passes, wanted) if isinstance(one, BaseException)]
    assert sum(watched.rows) == 28
    assert 12 in watched.rows
    assert all(tokens <= 8 for tokens in watched.rows if tokens != 12)


def test_no_pass_runs_while_somebody_has_the_model_apart(watched: Watched) -> None:
    with watched.passes.apart():
        thread, found = in_a_thread(watched.passes, step(5))
        thread.join(0.1)
        assert not found
    thread.join(10)
    assert len(found) == 1


def test_the_model_is_given_apart_between_passes(watched: Watched) -> None:
    with watched.passes.speaking():
        thread, found = in_a_thread(watched.passes, step(5))
        with watched.passes.apart():  # though one waits, whose pass waits for another
            assert not found
    thread.join(10)
    assert len(found) == 1


def test_models_that_cannot_share_take_turns() -> None:
    config = AutoConfig.for_model(
        "llama",
        vocab_size=64,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0},
    )
    made: Any = AutoModelForCausalLM.from_config(config)  # type: ignore[no-untyped-call]
    watched = Watched(made.eval())
    wanted = [step(5), step(9, 4), step(20, 2)]
    assert all(isinstance(one, Tensor) for one in together(watched.passes, wanted))
    assert sorted(watched.rows) == [2, 3, 4]


# -- failures -------------------------------------------------------------------------------------


def test_an_error_in_one_request_is_raised_to_it_alone(watched: Watched) -> None:
    wrong = step(30, candidates=torch.zeros(3, 1, dtype=torch.int64))
    *found, error = together(watched.passes, [*steps(), wrong])
    assert all(map(same, found, alone()))
    assert isinstance(error, ValueError)
    assert "candidates must be" in str(error)
    assert watched.rows == [12]


def test_what_breaks_a_shared_pass_is_tried_again_one_by_one(watched: Watched) -> None:
    watched.failures.append(MemoryError())
    wanted = steps()
    found = together(watched.passes, wanted)
    assert all(map(same, found, alone()))
    assert sorted(watched.rows) == [2, 3, 4, 9]
    assert wanted[1].cache.get_seq_length() == 4
    reading = wanted[1].reading
    assert reading is not None
    assert reading.steps == 1


def test_what_breaks_off_the_thread_that_computes_breaks_off_no_other(watched: Watched) -> None:
    watched.failures.append(KeyboardInterrupt())
    found = together(watched.passes, steps())
    assert [type(one) for one in found].count(KeyboardInterrupt) == 1
    for one, expected in zip(found, alone(), strict=True):
        assert isinstance(one, KeyboardInterrupt) or same(one, expected)
    assert same(watched.passes.run(steps()[0]), alone()[0])


# -- the language model ---------------------------------------------------------------------------

QUESTIONS = [f"Who is the king of {place}?" for place in ("Zembla", "Ruritania", "Onhava", "Ys")]


def spoken(model: LanguageModel, question: str, left: threading.Event | None = None) -> str:
    with interruptible(left or threading.Event()):
        return model.speak(model.question_ids(question), max_tokens=12).text


def test_texts_are_those_that_are_spoken_alone(tiny_model: LanguageModel) -> None:
    expected = [spoken(tiny_model, question) for question in QUESTIONS]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            asked = QUESTIONS * 2
            assert list(pool.map(lambda q: spoken(tiny_model, q), asked)) == expected * 2


def test_one_that_is_broken_off_leaves_the_others_to_speak(
    tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [spoken(tiny_model, question) for question in QUESTIONS]
    left, run = threading.Event(), tiny_model.passes.run
    steps_of: dict[int, int] = {}

    def run_and_leave(one: Step) -> Tensor:
        thread = threading.get_ident()
        steps_of[thread] = steps_of.get(thread, 0) + 1
        if steps_of[thread] == 3:
            left.set()
        return run(one)

    monkeypatch.setattr(tiny_model.passes, "run", run_and_leave)
    with ThreadPoolExecutor(4) as pool:
        events = [left, *(threading.Event() for _ in QUESTIONS[1:])]
        asks = [
            pool.submit(spoken, tiny_model, question, event)
            for question, event in zip(QUESTIONS, events, strict=True)
        ]
        with pytest.raises(Interrupted):
            asks[0].result(60)
        assert [ask.result(60) for ask in asks[1:]] == expected[1:]
    assert not tiny_model.passes._waiting


def test_blocks_are_encoded_while_others_speak(tiny_model: LanguageModel) -> None:
    sentences = [f"The king of {place} is Charles." for place in ("Zembla", "Ys", "Onhava")]
    expected = tiny_model.encode_blocks(sentences)
    texts = [spoken(tiny_model, question) for question in QUESTIONS]
    with ThreadPoolExecutor(4) as pool:
        asks = [pool.submit(spoken, tiny_model, question) for question in QUESTIONS]
        for _ in range(5):
            for block, same_block in zip(
                tiny_model.encode_blocks(sentences), expected, strict=True
            ):
                assert torch.equal(torch.stack(block), torch.stack(same_block))
        assert [ask.result(60) for ask in asks] == texts
