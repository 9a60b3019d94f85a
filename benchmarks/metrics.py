"""How one answer is judged: against the gold answers, the old ones, and the gold facts.

Texts are normalised as SQuAD does (Rajpurkar et al. 2016, arXiv 1606.05250, the evaluation
script): lower case, no ASCII punctuation, no articles, single spaces; before that, Unicode is
composed (NFC), because the store composes what it keeps. Where a question has no gold answer,
abstaining is the right one, as in SQuAD 2.0 (Rajpurkar et al. 2018, arXiv 1806.03822).
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.schema import Question

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Score:
    """The verdict on one output. ``f1`` is in [0, 1]; ``stale`` is None without old answers."""

    correct: bool
    exact_match: bool
    f1: float
    stale: bool | None


def normalise(text: str) -> str:
    """The SQuAD normal form: lower case, without punctuation and articles, single spaces."""
    return " ".join(_words(text))


def score(question: Question, output: str, *, abstained: bool) -> Score:
    """Judge an output. An abstention says that nothing was found, so its words count for no answer.

    correct: a gold answer stands in the output, both normalised, as a run of whole words. exact
    match and F1: the best over the gold answers. stale: an old answer stands in the output and no
    gold one does.
    """
    if abstained or not question.answers:
        right = abstained and not question.answers
        speaks_old = not abstained and any(contains(output, old) for old in question.old_answers)
        return Score(right, right, float(right), speaks_old if question.old_answers else None)
    correct = any(contains(output, answer) for answer in question.answers)
    return Score(
        correct=correct,
        exact_match=any(exact_match(output, answer) for answer in question.answers),
        f1=max(token_f1(output, answer) for answer in question.answers),
        stale=not correct and any(contains(output, old) for old in question.old_answers)
        if question.old_answers
        else None,
    )


def contains(output: str, answer: str) -> bool:
    """True when the answer's words stand in the output one after another.

    Whole words only: "Iran" does not stand in "Iranian", nor "4" in "1994".
    """
    said, wanted = _paired(output, answer)
    width = len(wanted)
    return any(said[at : at + width] == wanted for at in range(len(said) - width + 1))


def exact_match(output: str, answer: str) -> bool:
    """True when output and answer are the same words."""
    said, wanted = _paired(output, answer)
    return said == wanted


def token_f1(output: str, answer: str) -> float:
    """The harmonic mean of precision and recall over the words, counted with repetition."""
    said, wanted = _paired(output, answer)
    shared = (Counter(said) & Counter(wanted)).total()
    return 2 * shared / (len(said) + len(wanted))


def hits(question: Question, evidence: Sequence[str]) -> tuple[bool | None, bool | None]:
    """Whether the first fact in evidence is a gold one, and whether the evidence is enough to
    answer.

    Enough means every gold fact where the question takes several hops, and any of them where it
    takes one. Both are None for a question without gold facts.
    """
    if not question.facts:
        return None, None
    gold = set(question.facts)
    enough = gold <= set(evidence) if (question.hops or 1) > 1 else bool(gold & set(evidence))
    return bool(evidence) and evidence[0] in gold, enough


def _words(text: str, *, articles: bool = False, punctuation: bool = False) -> list[str]:
    text = unicodedata.normalize("NFC", text).lower()
    if not punctuation:
        text = text.translate(_PUNCTUATION)
    if not articles:
        text = _ARTICLES.sub(" ", text)
    return text.split()


def _paired(output: str, answer: str) -> tuple[list[str], list[str]]:
    """Both as words. An answer that is all articles ("The The") or punctuation ("!!!") keeps them.

    SQuAD's normal form of such an answer is empty, and would stand in any output.
    """
    for articles, punctuation in ((False, False), (True, False), (True, True)):
        wanted = _words(answer, articles=articles, punctuation=punctuation)
        if wanted:
            return _words(output, articles=articles, punctuation=punctuation), wanted
    raise ValueError("a gold answer must not be empty")
