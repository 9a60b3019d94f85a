"""What a question must be before anything slow happens."""

from __future__ import annotations

from dysk.errors import InvalidQuestion

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
