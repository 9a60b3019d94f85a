"""Invented graphs: the same for a seed, some questions answered and some not, nothing borrowed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dysk.invented_graph import invent_graph
from dysk.invented_kinds import KINDS
from dysk.invented_words import numeral, syllables
from graph import Add, MemoryStore


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_a_graph_can_be_stored_and_is_the_same_for_the_same_seed(seed: int) -> None:
    graph = invent_graph(seed)
    assert graph == invent_graph(seed)
    receipt = MemoryStore().apply([Add(*triple) for triple in graph.triples])
    assert len(receipt.items) == len(graph.triples)
    assert len({triple[:2] for triple in graph.triples}) == len(graph.triples)


def test_some_questions_are_answered_and_some_are_not_for_either_reason() -> None:
    reasons = set()
    for seed in range(6):
        graph = invent_graph(seed)
        slots = {triple[:2] for triple in graph.triples}
        subjects = {subject for subject, _ in slots}
        reasons |= {
            "answered" if (each.subject, each.relation) in slots
            else "no relation" if each.subject in subjects
            else "no entity"
            for each in graph.asked
        }  # fmt: skip
    assert reasons == {"answered", "no relation", "no entity"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.names[0])
def test_a_kind_s_questions_name_their_subject_once_and_its_relations_differ(kind: object) -> None:
    assert isinstance(kind, type(KINDS[0]))
    assert len({relation.name for relation in kind.relations}) == len(kind.relations)
    for relation in kind.relations:
        assert len(set(relation.questions)) == len(relation.questions) >= 2
        assert all(question.count("{}") == 1 for question in relation.questions)
    assert set(kind.other_names) <= set(kind.names)


def test_numerals_and_words() -> None:
    assert [numeral(n) for n in (1, 2, 3, 4, 11, 12, 13, 21)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st",
    ]  # fmt: skip
    rng = random.Random(0)
    words = [syllables(rng, 1, 2) for _ in range(50)]
    assert all(word.isalpha() and word.istitle() for word in words)
    assert len(set(words)) > 40
