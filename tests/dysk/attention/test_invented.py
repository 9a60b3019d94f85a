"""Invented facts: reproducible, one answer to each question, and no question that tells it."""

from __future__ import annotations

import re
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from dysk.attention.invented import invent

COUNTS, SEEDS = st.integers(0, 400), st.integers(0, 2**32)


@given(COUNTS, SEEDS)
@settings(max_examples=30, deadline=None)
def test_a_seed_always_gives_the_same_facts_and_more_of_them_begin_alike(
    count: int, seed: int
) -> None:
    facts = invent(count, seed)
    assert len(facts) == count
    assert invent(count, seed) == facts
    assert invent(count + 50, seed)[:count] == facts


def test_other_seeds_give_other_facts() -> None:
    assert not set(invent(200, 1)) & set(invent(200, 2))


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_a_question_has_one_answer(seed: int) -> None:
    facts = invent(400, seed)
    assert len({(fact.subject, fact.relation) for fact in facts}) == 400
    assert len({fact.question for fact in facts}) == 400


def test_a_name_that_comes_up_again_makes_no_second_answer() -> None:
    """Among this many facts of one seed names do repeat."""
    facts = invent(5000)
    assert len({(fact.subject, fact.relation) for fact in facts}) == 5000


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_a_question_names_its_subject_and_not_its_answer(seed: int) -> None:
    for fact in invent(200, seed):
        names = re.findall(r"[A-Z][a-z]+", fact.subject)
        assert names
        assert all(re.search(rf"\b{name}\b", fact.question) for name in names)
        number = re.search(r"\d+", fact.subject)
        assert re.findall(r"\d+", fact.question) == ([number[0]] if number else [])
        assert fact.object not in fact.question


def test_numbers_are_spoken_as_people_speak_them() -> None:
    ordinals = set(re.findall(r"\d+[a-z]+", " ".join(fact.question for fact in invent(2000))))
    assert {"1st", "2nd", "3rd", "4th", "11th", "12th", "13th"} <= ordinals
    assert not {"11st", "12nd", "13rd", "1th", "2th", "3th"} & ordinals


def test_every_subject_has_several_relations_and_every_relation_several_subjects() -> None:
    """So there are near misses on both sides."""
    relations, subjects = defaultdict(set), defaultdict(set)
    for fact in invent(360)[:-3]:  # the last subject may be cut off
        relations[fact.subject].add(fact.relation)
        subjects[fact.relation].add(fact.subject)
    assert all(len(found) > 1 for found in relations.values())
    assert all(len(found) > 4 for found in subjects.values())


def test_numbered_subjects_have_siblings_that_differ_in_the_number_only() -> None:
    families = defaultdict(set)
    for fact in invent(360)[:-10]:
        if number := re.search(r"\d+", fact.subject):
            families[fact.subject.replace(number[0], "#", 1)].add(int(number[0]))
    assert families
    assert all(len(numbers) >= 5 for numbers in families.values())
