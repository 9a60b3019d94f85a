from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from benchmarks.metrics import contains, exact_match, hits, normalise, score, token_f1
from benchmarks.schema import Question

WORDS = st.lists(st.text("abcxyzÀé0189", min_size=1, max_size=6), min_size=1, max_size=6)


def question(*answers: str, old: tuple[str, ...] = (), **fields: object) -> Question:
    return Question("q", "Who?", answers, old_answers=old, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Keir Starmer", "keir starmer"),
        ("The  United\tKingdom.", "united kingdom"),
        ("An apple, a pear and the plum", "apple pear and plum"),
        ("Suzan K. DelBene", "suzan k delbene"),
        ("Jean-Luc O'Neil", "jeanluc oneil"),
        ("theatre", "theatre"),
        ("ŁÓDŹ", "łódź"),
        ("e\N{COMBINING ACUTE ACCENT}te", "éte"),
        ("1,234", "1234"),
        ("", ""),
        ("...", ""),
    ],
)
def test_normalisation_is_that_of_squad(text: str, expected: str) -> None:
    assert normalise(text) == expected


@given(st.text())
def test_the_normal_form_has_no_capital_article_or_ascii_punctuation(
    text: str,
) -> None:
    normal = normalise(text)
    assert normal == normal.lower()
    assert normal == " ".join(normal.split())
    assert not set(normal) & set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    assert not set(normal.split()) & {"a", "an", "the"}


@pytest.mark.parametrize(
    ("output", "answer", "expected"),
    [
        ("The head of government is Keir Starmer.", "Keir Starmer", True),
        ("Keir Starmer", "keir starmer", True),
        ("It was Starmer, Keir", "Keir Starmer", False),
        ("He is Iranian", "Iran", False),
        ("in 1994", "4", False),
        ("in 1994, or so", "1994", True),
        ("the United States", "The United States of America", False),
        ("Keir Rodney Starmer", "Keir Starmer", False),
        ("", "Keir Starmer", False),
        ("He played in The The until 1990", "The The", True),
        ("He played in the band", "The The", False),
        ("The album is !!!", "!!!", True),
        ("The album is called so", "!!!", False),
    ],
)
def test_an_answer_counts_when_its_words_stand_in_a_row(
    output: str, answer: str, expected: bool
) -> None:
    assert contains(output, answer) is expected


@given(WORDS, WORDS, WORDS)
def test_an_answer_is_found_wherever_whole_words_surround_it(
    before: list[str], answer: list[str], after: list[str]
) -> None:
    assert contains(" ".join([*before, *answer, *after]), " ".join(answer))


@given(WORDS, WORDS)
def test_words_that_the_output_lacks_are_not_found(said: list[str], answer: list[str]) -> None:
    assume(not set(normalise(" ".join(answer)).split()) <= set(normalise(" ".join(said)).split()))
    assert not contains(" ".join(said), " ".join(answer))


@pytest.mark.parametrize(
    ("output", "answer", "f1"),
    [
        ("Keir Starmer", "Keir Starmer", 1.0),
        ("the keir starmer!", "Keir Starmer", 1.0),
        ("Keir", "Keir Starmer", 2 / 3),
        ("Keir Keir", "Keir Starmer", 1 / 2),
        ("Rishi Sunak", "Keir Starmer", 0.0),
        ("", "Keir Starmer", 0.0),
        ("the", "The The", 2 / 3),
    ],
)
def test_f1_is_over_words_with_repetition(output: str, answer: str, f1: float) -> None:
    assert token_f1(output, answer) == pytest.approx(f1)


@given(WORDS, WORDS)
def test_the_three_measures_are_ordered(said: list[str], answer: list[str]) -> None:
    output, gold = " ".join(said), " ".join(answer)
    f1 = token_f1(output, gold)
    assert 0 <= f1 <= 1
    if exact_match(output, gold):
        assert contains(output, gold)
        assert f1 == 1
    if contains(output, gold):
        assert f1 > 0


@given(WORDS, WORDS)
def test_f1_does_not_care_which_text_is_gold(one: list[str], other: list[str]) -> None:
    assume(normalise(" ".join(one)) and normalise(" ".join(other)))
    assert token_f1(" ".join(one), " ".join(other)) == token_f1(" ".join(other), " ".join(one))


@pytest.mark.parametrize(
    ("output", "correct", "stale"),
    [
        ("It is Keir Starmer.", True, False),
        ("It is Rishi Sunak.", False, True),
        ("Rishi Sunak, then Keir Starmer.", True, False),
        ("It is Liz Truss.", False, False),
    ],
)
def test_stale_is_an_old_answer_without_a_new_one(output: str, correct: bool, stale: bool) -> None:
    verdict = score(
        question("Sir Keir", "Keir Starmer", old=("Rishi Sunak",)), output, abstained=False
    )
    assert (verdict.correct, verdict.stale) == (correct, stale)


def test_stale_is_unknown_without_old_answers() -> None:
    assert score(question("Paris"), "London", abstained=False).stale is None


def test_the_best_gold_answer_counts() -> None:
    verdict = score(question("Democrat", "Democratic Party"), "democratic party", abstained=False)
    assert (verdict.correct, verdict.exact_match, verdict.f1) == (True, True, 1.0)


def test_the_words_of_an_abstention_are_no_answer() -> None:
    asked = question("Paris", old=("Vichy",))
    verdict = score(asked, "Nothing here says whether Paris or Vichy.", abstained=True)
    assert (verdict.correct, verdict.exact_match, verdict.f1, verdict.stale) == (
        False,
        False,
        0.0,
        False,
    )


@pytest.mark.parametrize("abstained", [True, False])
def test_only_abstaining_is_right_where_there_is_no_answer(abstained: bool) -> None:
    verdict = score(question(), "anything", abstained=abstained)
    assert (verdict.correct, verdict.exact_match, verdict.f1) == (abstained, abstained, abstained)


@pytest.mark.parametrize(
    ("facts", "hops", "evidence", "expected"),
    [
        (("f1",), 1, ["f1", "f2"], (True, True)),
        (("f1",), 1, ["f2", "f1"], (False, True)),
        (("f1",), 1, [], (False, False)),
        (("f1", "f2"), 1, ["f2"], (True, True)),
        (("f1", "f2"), 2, ["f2"], (True, False)),
        (("f1", "f2"), 2, ["f3", "f2", "f1"], (False, True)),
        (("f1", "f2"), None, ["f2"], (True, True)),
        ((), 1, ["f1"], (None, None)),
    ],
)
def test_one_hop_needs_any_gold_fact_and_several_hops_all(
    facts: tuple[str, ...],
    hops: int | None,
    evidence: list[str],
    expected: tuple[bool | None, bool | None],
) -> None:
    assert hits(question("x", facts=facts, hops=hops), evidence) == expected


@pytest.mark.parametrize(
    ("output", "abstained", "correct", "stale"),
    [
        ("It is Bob.", False, False, True),
        ("Who knows?", False, False, False),
        ("", True, True, False),
    ],
)
def test_what_was_removed_is_stale_where_it_is_still_spoken(
    output: str, abstained: bool, correct: bool, stale: bool
) -> None:
    removed = Question("q", "Who leads Norland?", (), old_answers=("Bob",))
    verdict = score(removed, output, abstained=abstained)
    assert (verdict.correct, verdict.stale) == (correct, stale)
