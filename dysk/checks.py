"""What a question and its options must be before anything slow happens."""

from __future__ import annotations

from typing import get_args

from dysk.answer import Grounding, Mode
from dysk.errors import InvalidQuestion
from graph.interval import parse_date

LONGEST_QUESTION = 4_000
"""Characters."""


def check_question(question: str) -> None:
    """Raises InvalidQuestion unless it is text that a model could read."""
    if not isinstance(question, str) or not question.strip():
        raise InvalidQuestion("the question is empty: write one")
    if len(question) > LONGEST_QUESTION:
        raise InvalidQuestion(
            f"the question has {len(question):,} characters and at most {LONGEST_QUESTION:,} "
            "are read: ask a shorter one, and push background as facts"
        )
    if any(0xD800 <= ord(c) <= 0xDFFF or (ord(c) < 32 and c not in "\t\n\r") for c in question):
        raise InvalidQuestion("the question has control characters or broken Unicode: remove them")


def check_choice(name: str, value: str, kind: object) -> None:
    """Raises InvalidQuestion unless ``value`` is a member of the Literal ``kind``."""
    if value not in get_args(kind):
        raise InvalidQuestion(
            f"{name} {value!r} is none of {', '.join(get_args(kind))}: choose one of them"
        )


def check_count(name: str, value: int) -> None:
    """Raises InvalidQuestion unless ``value`` is a whole number of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidQuestion(f"{name} is {value!r} and must be a whole number of at least 1")


def check_options(
    *, mode: Mode, grounding: Grounding, candidates: int, top_k: int, max_tokens: int
) -> None:
    """Raises InvalidQuestion unless an ask can be made with these."""
    check_choice("mode", mode, Mode)
    check_choice("grounding", grounding, Grounding)
    check_count("candidates", candidates)
    check_count("top_k", top_k)
    check_count("max_tokens", max_tokens)


def check_dates(*dates: str | None) -> None:
    """Raises InvalidTime for the first that is not None and no date."""
    for date in dates:
        if date is not None:
            parse_date(date)
