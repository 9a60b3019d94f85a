"""Whether words agree with a fact: compared as people compare them, and not by accident."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dysk.grounding import first_spoken, normalise, speaks

SPOKEN = [
    ("The head of government of the UK is Keir Starmer.", "Keir Starmer"),
    ("KEIR STARMER", "Keir Starmer"),
    ("It was José Álvarez-Núñez!", "Jose Alvarez Nunez"),
    ("Jose Alvarez Nunez", "José Álvarez-Núñez"),
    ("𝓐𝖉𝖆 spoke", "Ada"),
    ("Straße", "STRASSE"),
    ("He was born on October 24, 1978.", "1978-10-24"),
    ("He was born on 24 October 1978.", "1978-10-24"),
    ("born 1978-10-24", "1978-10-24"),
    ("in October 1978", "1978-10"),
    ("The capital is 東京.", "東京"),
    ("version 3.13", "3.13"),
    ("It is C", "C"),
]
NOT_SPOKEN = [
    ("The queen is Mary Ann.", "Ann Mary"),
    ("The answer is Parisian.", "Paris"),
    ("Starmer", "Keir Starmer"),
    ("October 25, 1978", "1978-10-24"),
    ("version 3.131", "3.13"),
    ("", "Paris"),
    ("Paris", ""),
    ("Paris", "!?"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "name"), SPOKEN)
def test_a_name_is_spoken_whatever_its_case_accents_and_punctuation(text: str, name: str) -> None:
    assert speaks(text, name)


@pytest.mark.parametrize(("text", "name"), NOT_SPOKEN)
def test_other_words_parts_of_words_and_nothing_are_not_the_name(text: str, name: str) -> None:
    assert not speaks(text, name)


words = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=8)


@given(st.lists(words, min_size=1, max_size=4), st.lists(words, max_size=4))
def test_a_name_is_spoken_wherever_it_stands_in_a_text(name: list[str], rest: list[str]) -> None:
    if normalise(" ".join(name)):
        for text in ([*rest, *name], [*name, *rest], [*rest, *name, *rest]):
            assert speaks(" ".join(text), " ".join(name))


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert once == once.strip()


def test_the_first_name_that_is_spoken_is_told_in_the_order_of_the_names() -> None:
    text = "Ada met Ben."
    assert first_spoken(text, ["Cid", "Ben", "Ada"]) == "Ben"
    assert first_spoken(text, iter(["Cid"])) is None
    assert first_spoken(text, []) is None
