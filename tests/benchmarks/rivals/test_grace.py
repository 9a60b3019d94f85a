"""The codebook's rules, and a random model that answers from it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from benchmarks.rivals.grace import Codebook, Grace
from benchmarks.rivals.teaching import Lesson, TeachableModel

KING = Lesson("Norland", "What is the king of Norland?", "The king of Norland is", "Q")
ELSEWHERE = "Where does the river Ister come from, and where does it go?"
POINTS = st.tuples(st.integers(-8, 8), st.integers(-8, 8)).map(lambda p: torch.tensor(p) / 4)
ENTRIES = st.lists(
    st.tuples(POINTS, st.sampled_from(["Ada", "Bob", "Eve"])), min_size=1, max_size=12
)


def at(x: float) -> Tensor:
    return torch.tensor([x, 0.0])


def filled(entries: list[tuple[Tensor, str]], radius: float = 1.0) -> Codebook:
    book = Codebook(radius)
    for query, label in entries:
        book.enter(query, label)
    return book


@given(ENTRIES)
def test_the_prompt_entered_last_gets_its_answer(entries: list[tuple[Tensor, str]]) -> None:
    book = filled(entries)
    query, label = entries[-1]
    number = book.find(query)
    assert number is not None
    assert book.labels[number] == label


@given(ENTRIES, POINTS)
def test_an_entry_fires_within_its_radius_only_and_it_is_the_nearest(
    entries: list[tuple[Tensor, str]], query: Tensor
) -> None:
    book = filled(entries)
    distances = [float((key - query).norm()) for key in book.keys]
    number = book.find(query)
    nearest = min(distances)
    if number is None:
        assert nearest >= book.radii[distances.index(nearest)]
    else:
        assert distances[number] == pytest.approx(nearest)
        assert distances[number] < book.radii[number]


@given(ENTRIES)
def test_every_key_has_a_radius_above_nothing_and_a_label(
    entries: list[tuple[Tensor, str]],
) -> None:
    book = filled(entries)
    assert len(book.keys) == len(book.radii) == len(book.labels) <= len(entries)
    assert all(radius > 0 for radius in book.radii)


def test_a_prompt_far_from_all_keys_is_added_with_the_first_radius() -> None:
    book = filled([(at(0), "Ada"), (at(2.5), "Bob")])
    assert book.radii == [1.0, 1.0]


def test_the_same_answer_nearby_expands_the_key() -> None:
    book = filled([(at(0), "Ada"), (at(1.5), "Ada")])
    assert book.radii == [2.5]
    assert book.find(at(2.4)) == 0


def test_another_answer_nearby_splits_the_distance() -> None:
    book = filled([(at(0), "Ada"), (at(1.5), "Bob")])
    assert book.radii == [0.75, 0.75]
    assert (book.find(at(0.7)), book.find(at(0.8)), book.find(at(2.3))) == (0, 1, None)


def test_another_answer_to_the_very_prompt_takes_the_old_one_s_place() -> None:
    book = filled([(at(0), "Ada"), (at(0), "Bob")])
    assert (book.labels, book.radii) == (["Bob"], [1.0])


def test_an_empty_codebook_finds_nothing() -> None:
    assert Codebook().find(at(0)) is None


def said(grace: Grace, question: str) -> str:
    ids = grace.model.question_ids(question, closed=True)
    with grace.answering():
        return grace.model.speak(ids, closed=True, max_tokens=8).text


@pytest.fixture
def grace(teachable: TeachableModel, monkeypatch: pytest.MonkeyPatch) -> Grace:
    # A model with random weights needs more steps than a trained one.
    monkeypatch.setattr("benchmarks.rivals.grace._STEPS", 100)
    return Grace(teachable)


def test_what_was_learnt_is_said_and_other_questions_are_answered_as_ever(grace: Grace) -> None:
    elsewhere, before = said(grace, ELSEWHERE), said(grace, KING.question)
    assert not before.startswith("Q")
    grace.learn([KING])
    grace.codebook.radii[0] = 1e-3
    assert said(grace, KING.question).startswith("Q")
    assert said(grace, ELSEWHERE) == elsewhere


def test_outside_of_answers_the_model_is_untouched(grace: Grace) -> None:
    ids = torch.tensor([grace.model.question_ids(KING.question, closed=True)])
    before = grace.model.model(ids).logits
    grace.learn([KING])
    assert torch.equal(grace.model.model(ids).logits, before)


def test_another_answer_to_a_question_replaces_the_value(grace: Grace) -> None:
    grace.learn([KING, Lesson(KING.subject, KING.question, KING.begun, "Z")])
    assert grace.codebook.labels == ["Z"]
    assert said(grace, KING.question).startswith("Z")
