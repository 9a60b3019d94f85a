"""How the harness asks and judges: as ``dysk bench run`` does, with the same scores.

A prompt is all that a model of the harness gets, so the time of a question goes into its words. An
abstention is recognised by dysk's own words for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.metrics import score
from benchmarks.schema import Question
from dysk.engine import UNKNOWN

Doc = Mapping[str, Any]


def asked(doc: Doc) -> str:
    """The prompt."""
    when = doc.get("as_of")
    question: str = doc["question"]
    return f"{question.rstrip('?')} as of {when}?" if when else question


def wanted(doc: Doc) -> str:
    """The first gold answer, for the samples; any of them counts."""
    return next(iter(doc["answers"]), UNKNOWN)


def judged(doc: Doc, outputs: Sequence[str]) -> dict[str, float]:
    """acc, exact match, F1 and stale of an output; a question without old answers is not stale."""
    text = outputs[0].strip()
    question = Question(
        doc["id"],
        doc["question"],
        tuple(doc["answers"]),
        old_answers=tuple(doc.get("old_answers") or ()),
    )
    verdict = score(question, text, abstained=text == UNKNOWN)
    return {
        "acc": float(verdict.correct),
        "exact_match": float(verdict.exact_match),
        "f1": verdict.f1,
        "stale": float(bool(verdict.stale)),
    }
