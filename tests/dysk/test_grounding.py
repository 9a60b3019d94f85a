"""Whether words agree with a fact: compared as people compare them, and not by accident."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dysk.grounding import first_spoken, normalise, opening, respelled, speaks

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


@pytest.mark.parametrize(
    ("text", "name", "right"),
    [
        ("The mayor is Anna Cobburn.", "Anna Coburn", "The mayor is Anna Coburn."),
        ("Nursultan", "Nur-Sultan", "Nur-Sultan"),
        ("The mayor is Anna Coburn.", "Anna Coburn", "The mayor is Anna Coburn."),
    ],
)
def test_a_name_that_is_spelt_nearly_right_is_spelt_right(text: str, name: str, right: str) -> None:
    assert respelled(text, name) == right


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The mayor is Otto Brandt.", "Anna Coburn"),
        ("It was in 1987.", "1986"),  # another number is another thing
        ("Windows 10", "Windows 11"),
        ("The capital is Paris.", "Pari"),  # too short to tell a slip from another name
        ("Coburn", "Anna Coburn of Quillport"),
        ("", "Anna Coburn"),
        ("Anna Coburn", ""),
    ],
)
def test_what_may_be_another_name_or_number_is_left_alone(text: str, name: str) -> None:
    assert respelled(text, name) is None


names = st.lists(st.sampled_from(["Anna", "Coburn", "Quillport", "Brandt"]), min_size=1, max_size=3)


@given(names.map(" ".join), st.data())
def test_what_was_respelt_speaks_the_name_and_keeps_the_rest(
    name: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(name)))
    slip = name[:at] + data.draw(st.sampled_from(["", "x", "o"])) + name[at + 1 :]
    before, after = (
        data.draw(st.sampled_from(["", "It is ", "- "])),
        data.draw(st.sampled_from(["", ".", ", I think."])),
    )
    text = respelled(before + slip + after, name)
    if text is not None:
        assert speaks(text, name)
        assert text.startswith(before)
        assert text.endswith(after)


def test_a_sentence_is_opened_up_to_its_object() -> None:
    assert opening("The king of Zembla is Charles.", "Charles") == "The king of Zembla is"
    assert opening("Zembla was founded on October 24, 1978.", "1978-10-24") == (
        "Zembla was founded on"
    )
    assert opening("Charles is king of Zembla.", "Charles") == ""
    assert opening("The king of Zembla is Charles.", "Odon") == ""
    assert opening("Charles of Zembla is Charles.", "Charles") == "Charles of Zembla is"
