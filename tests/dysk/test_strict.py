"""Strict grounding says nothing but objects of the facts that were read, or abstains.

The model of these tests is random: what it would rather say is nonsense, and none of it is said.
"""

from __future__ import annotations

import pytest

from dysk.answer import Mode
from dysk.engine import UNKNOWN
from dysk.language_model import LanguageModel
from graph import Add, SetAliases
from tests.dysk.engines import KING, QUESTION, READING, World, objects

reading = pytest.mark.parametrize("mode", READING)


@reading
def test_a_random_model_says_the_whole_object_however_few_tokens_it_may(
    world: World, mode: Mode
) -> None:
    world.add("Zembla", KING, "Charles the Beloved")
    answer = world.ask(QUESTION, mode=mode, grounding="strict", max_tokens=1)
    assert (answer.text, answer.status) == ("Charles the Beloved", "answered")
    assert answer.grounded is True
    assert objects(answer) == ["Charles the Beloved"]


@reading
def test_an_object_is_said_by_one_of_its_names(world: World, mode: Mode) -> None:
    world.store.apply([SetAliases("Charles", ("Charles Xavier", "the last king"))])
    world.add("Zembla", KING, "Charles")
    answer = world.ask(QUESTION, mode=mode, grounding="strict")
    assert answer.text in {"Charles", "Charles Xavier", "the last king"}
    assert objects(answer) == ["Charles"]


@reading
def test_a_date_is_said_as_the_question_wants_it(world: World, mode: Mode) -> None:
    world.add("Zembla", "founding date", "1876-05-03")
    for question, said in (
        ("What is the founding date of Zembla?", "May 3, 1876"),
        ("In which year is the founding date of Zembla?", "1876"),
    ):
        assert world.ask(question, mode=mode, grounding="strict").text == said


@reading
def test_where_no_fact_answers_it_abstains(world: World, mode: Mode) -> None:
    world.add("Borduria", "anthem", "Amaih")
    answer = world.ask("What is 17 times 3?", mode=mode, grounding="strict")
    assert (answer.text, answer.status, answer.evidence) == (UNKNOWN, "abstained", ())


@pytest.mark.parametrize("mode", ["attention", "hybrid"])
def test_facts_that_answer_alike_are_all_said_once(world: World, mode: Mode) -> None:
    for town in ("Yeslove", "Onhava", "Kobaltana"):
        world.add("Zembla", "royal residence", town)
    answer = world.ask("Which is the royal residence of Zembla?", mode=mode, grounding="strict")
    assert sorted(answer.text.split(", ")) == ["Kobaltana", "Onhava", "Yeslove"]
    assert len(answer.evidence) == 3


@reading
def test_facts_that_disagree_are_a_conflict_and_what_is_said_is_one_of_them(
    world: World, mode: Mode
) -> None:
    first = world.add("Zembla", KING, "Charles")
    command = Add("Zembla", KING, "Otto", on_conflict="coexist")
    second = world.store.apply([command]).items[0].fact
    assert second is not None
    answer = world.ask(QUESTION, mode=mode, grounding="strict")
    assert answer.status == "conflict"
    assert set(answer.conflicts) == {first, second.id}
    assert set(answer.text.split(", ")) <= {"Charles", "Otto"}


def test_rag_says_the_object_of_a_fact_in_its_prompt(world: World) -> None:
    for country in ("Zembla", "Ruritania", "Borduria"):
        world.add(country, KING, f"King of {country}")
    answer = world.ask(QUESTION, mode="rag", grounding="strict", top_k=2)
    assert len(answer.evidence) == 2
    assert answer.text in objects(answer)
    assert answer.timings_ms["select"] > 0  # the two were weighed against each other


def test_of_several_names_the_one_that_gains_most_by_the_facts_is_said(
    tiny_model: LanguageModel,
) -> None:
    ids = tiny_model.question_ids(QUESTION)
    names = ["Charles", "Otto", "Rudolf the Fifth"]
    priors = tiny_model.log_probabilities(ids, names)
    assert all(prior < 0 for prior in priors)
    context = [tiny_model.fact_ids("The king of Zembla is Otto.")]
    said = tiny_model.speak(ids, context=context, allowed=names, priors=priors).text
    for name, prior in zip(names, priors, strict=True):
        handicap = [prior if each == name else prior + 1e6 for each in names]
        told = tiny_model.speak(ids, context=context, allowed=names, priors=handicap)
        assert told.text == name
    assert said in names


def test_a_name_s_log_probability_is_the_sum_over_its_tokens(tiny_model: LanguageModel) -> None:
    ids = tiny_model.question_ids(QUESTION)
    (whole, first) = tiny_model.log_probabilities(ids, ["Otto", "O"])
    rest = sum(
        tiny_model.log_probabilities(ids + tiny_model.draft_ids("Otto"[:at]), ["Otto"[at]])[0]
        for at in range(1, 4)
    )
    assert whole == pytest.approx(first + rest, abs=1e-3)
