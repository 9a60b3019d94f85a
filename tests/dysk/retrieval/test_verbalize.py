from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dysk.retrieval.verbalize import MONTHS, spell_out, spell_out_date, verbalize
from graph.fact import Fact, Relation


def say(subject: str, relation: str, obj: str, template: str | None = None) -> str:
    fact = Fact("f1", subject, relation, obj)
    return verbalize(fact, Relation(relation, template=template))


@pytest.mark.parametrize(
    ("relation", "sentence"),
    [
        # nouns
        ("head of government", "The head of government of Avaria is Mira Tan."),
        ("capital", "The capital of Avaria is Mira Tan."),
        ("date of birth", "The date of birth of Avaria is Mira Tan."),
        ("headquarters", "The headquarters of Avaria is Mira Tan."),
        ("species", "The species of Avaria is Mira Tan."),
        ("breed", "The breed of Avaria is Mira Tan."),
        ("member of sports team", "The member of sports team of Avaria is Mira Tan."),
        ("CEO", "The CEO of Avaria is Mira Tan."),
        # forms of be and have
        ("was born in", "Avaria was born in Mira Tan."),
        ("is married to", "Avaria is married to Mira Tan."),
        ("has capital", "Avaria has capital Mira Tan."),
        # verbs
        ("owns", "Avaria owns Mira Tan."),
        ("created", "Avaria created Mira Tan."),
        ("wrote music for", "Avaria is wrote music for Mira Tan."),
        ("plays for", "Avaria plays for Mira Tan."),
        ("works at", "Avaria works at Mira Tan."),
        ("graduated from", "Avaria graduated from Mira Tan."),
        # participles that want their auxiliary back
        ("held by", "Avaria is held by Mira Tan."),
        ("founded by", "Avaria is founded by Mira Tan."),
        ("located in", "Avaria is located in Mira Tan."),
        ("born in", "Avaria was born in Mira Tan."),
        # a noun or an adjective before a preposition
        ("member of", "Avaria is member of Mira Tan."),
        ("close to", "Avaria is close to Mira Tan."),
        # names from other notations
        ("wasBornIn", "Avaria was born in Mira Tan."),
        ("head_of_government", "The head of government of Avaria is Mira Tan."),
    ],
)
def test_generic_wordings(relation: str, sentence: str) -> None:
    assert say("Avaria", relation, "Mira Tan") == sentence


def test_a_template_is_used_when_there_is_one() -> None:
    sentence = say("MV Aurelia", "home port", "Lund", "{object} is where {subject} lies at home.")
    assert sentence == "Lund is where MV Aurelia lies at home."


def test_braces_in_names_are_only_text() -> None:
    assert say("{object}", "owner", "{subject}") == "The owner of {object} is {subject}."
    assert say("{0.__class__}", "owner", "{}") == "The owner of {0.__class__} is {}."


def test_the_first_letter_is_capital_and_the_others_stay() -> None:
    assert say("iPod nano", "made by", "Apple") == "IPod nano is made by Apple."


def test_dates_in_the_object_are_spelled_out() -> None:
    assert say("Mira Tan", "date of birth", "1978-10-24") == (
        "The date of birth of Mira Tan is October 24, 1978."
    )


def test_validity_dates_are_not_said() -> None:
    fact = Fact("f1", "Avaria", "capital", "Lund", valid_from="1999", valid_to="2004-05-01")
    assert verbalize(fact, Relation("capital")) == "The capital of Avaria is Lund."


def test_a_full_stop_of_the_object_is_not_doubled() -> None:
    assert say("MV Aurelia", "owner", "Acme Inc.") == "The owner of MV Aurelia is Acme Inc."
    assert say("The poem", "last words", "and then...").endswith("and then...")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("head of government", "head of government"),
        ("hasCEO", "has CEO"),
        ("isMarriedTo", "is married to"),
        ("member_of", "member of"),
        ("Position played / speciality", "Position played / speciality"),
        ("P31", "P31"),
        ("_", "_"),
        ("", ""),
    ],
)
def test_relation_names_are_spelled_in_words(name: str, words: str) -> None:
    assert spell_out(name) == words


@pytest.mark.parametrize(
    "text",
    ["1978", "2021-13-01", "2021-02-30", "2021-00", "12-05", "2021-05-03T10:00Z", "Oak Lane"],
)
def test_what_is_no_whole_date_stays_as_it_is(text: str) -> None:
    assert spell_out_date(text) == text


@given(st.dates())
def test_a_spelled_date_names_year_month_and_day(date: object) -> None:
    year, month, day = str(date).split("-")
    assert spell_out_date(str(date)) == f"{MONTHS[int(month) - 1]} {int(day)}, {int(year)}"
    assert spell_out_date(f"{year}-{month}") == f"{MONTHS[int(month) - 1]} {int(year)}"


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_a_sentence_names_subject_and_object(subject: str, relation: str, obj: str) -> None:
    sentence = say(subject, relation, f"<{obj}>")
    assert subject[1:] in sentence
    assert f"<{obj}>" in sentence
