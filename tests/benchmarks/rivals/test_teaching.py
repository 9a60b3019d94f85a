from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.rivals.protocol import Models
from benchmarks.rivals.teaching import Lesson, Taught, TeachableModel, lesson_of
from benchmarks.schema import Question
from graph.fact import Fact

FACT = Fact("f1", "Norland", "king", "Ada", valid_from="2020")
WHO = Question("q1", "Who is the king of Norland?", ("Ada",))


class Noting:
    """Learns nothing, and keeps what it was to learn."""

    def __init__(self, model: TeachableModel) -> None:
        self.model = model
        self.taught: list[list[str]] = []

    def learn(self, lessons: Sequence[Lesson]) -> None:
        self.taught.append([lesson.sentence for lesson in lessons])

    def answering(self) -> AbstractContextManager[None]:
        return nullcontext()


@pytest.fixture
def noting(teachable: TeachableModel) -> Noting:
    return Noting(teachable)


def test_lessons_are_learnt_at_the_next_ask_together_and_once(
    noting: Noting, models: Models
) -> None:
    rival = Taught(models, noting)
    rival.update(FACT)
    rival.update(replace(FACT, id="f2", subject="Estmark"))
    assert noting.taught == []
    rival.ask(WHO)
    rival.update(replace(FACT, source="gazette"))
    rival.ask(WHO)
    assert noting.taught == [["The king of Norland is Ada.", "The king of Estmark is Ada."]]


def test_another_answer_is_learnt_and_an_end_or_a_retraction_is_not(
    noting: Noting, models: Models
) -> None:
    rival = Taught(models, noting)
    rival.update(FACT)
    rival.ask(WHO)
    rival.update(replace(FACT, valid_to="2021"))
    rival.update(replace(FACT, status="retracted"))
    rival.update(replace(FACT, object="Eve"))
    rival.ask(WHO)
    assert noting.taught[1:] == [["The king of Norland is Eve."]]


def test_what_ended_before_it_was_learnt_never_is(noting: Noting, models: Models) -> None:
    rival = Taught(models, noting)
    rival.update(FACT)
    rival.update(replace(FACT, valid_to="2021"))
    rival.ask(WHO)
    assert noting.taught == []


def test_a_lesson_is_the_sentence_of_the_fact_up_to_its_object() -> None:
    lesson = lesson_of(FACT, "The king of Norland is Ada.")
    assert (lesson.begun, lesson.sentence) == (
        "The king of Norland is",
        "The king of Norland is Ada.",
    )
    assert lesson.question == "What is the king of Norland?"
    assert lesson_of(FACT, "Ada rules Norland.").begun == "The king of Norland is"


@given(before=st.text("ab .", max_size=6), after=st.text("ab .", max_size=6))
def test_a_mention_ends_where_the_name_does(
    untaught: TeachableModel, before: str, after: str
) -> None:
    ids, ends = untaught.mentions(f"{before}Norland{after}Norland", "Norland")
    assert [untaught.tokenizer.decode(ids[: end + 1]) for end in ends] == [
        f"{before}Norland",
        f"{before}Norland{after}Norland",
    ]


def test_a_text_continued_says_what_the_whole_text_says(teachable: TeachableModel) -> None:
    ids = teachable.draft_ids("The king of Norland is Ada.")
    whole = teachable.model(torch.tensor([ids])).logits[:, -3:]
    for cut in (0, 1, 9):
        rest = teachable.continued(teachable.read(ids[:cut]), torch.tensor([ids[cut:]]), keep=3)
        torch.testing.assert_close(rest, whole, atol=1e-5, rtol=1e-5)


def test_prompts_begin_with_the_weights_of_now_once_the_prefix_is_read_anew(
    teachable: TeachableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teachable, "_chat_frame", lambda: ("Read this. ", "\nAnswer:"))
    teachable.read_prefix_anew()
    before = [keys.clone() for keys, _ in teachable._closed_prefix.layers]
    down = teachable.model.base_model.layers[0].mlp.down_proj
    down.weight.data += 0.5
    teachable.read_prefix_anew()
    after = [keys for keys, _ in teachable._closed_prefix.layers]
    assert not torch.equal(before[1], after[1])
    assert len(teachable.head_ids) == len("Read this. ")
