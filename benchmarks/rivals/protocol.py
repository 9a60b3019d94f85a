"""What a rival is, and what all rivals share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from benchmarks.schema import Question
from dysk.answer import Answer, Mode
from dysk.engine import UNKNOWN
from dysk.language_model import LanguageModel
from dysk.retrieval.encoder import TextEncoder
from dysk.retrieval.time import TimeInterpretation
from dysk.speaking import Names, Said, Speaker
from dysk.stopwatch import Stopwatch
from graph.fact import Fact

MAX_TOKENS = 48
"""As in ``Dysk.ask``."""


class Rival(Protocol):
    """Facts go in one at a time, in any order, at any time; questions are answered from them."""

    def update(self, fact: Fact) -> None:
        """Know this version of a fact from now on, in place of any other version of it."""
        ...

    def ask(self, question: Question) -> Answer:
        """Answer from what is known now."""
        ...


@dataclass(frozen=True, slots=True)
class Models:
    """What every rival may use; dysk uses the same.

    ``read_time`` is how dysk reads the time of a question, ``wording`` the sentence of a fact,
    ``names`` what an entity is called.
    """

    language: LanguageModel
    encoder: TextEncoder
    speaker: Speaker
    read_time: Callable[[str], TimeInterpretation]
    wording: Callable[[Fact], str]
    names: Names


def answer(said: Said, mode: Mode, as_of: str, watch: Stopwatch) -> Answer:
    """What a rival said, as dysk's own answers look. Rivals keep no revisions: theirs is 0."""
    return Answer(
        text=said.text,
        status="answered",
        mode=mode,
        as_of=as_of,
        revision=0,
        evidence=said.evidence,
        grounded=said.grounded,
        usage=said.usage,
        timings_ms=watch.report(),
    )


def abstention(mode: Mode, as_of: str, watch: Stopwatch) -> Answer:
    """A rival found nothing to read."""
    return Answer(UNKNOWN, "abstained", mode, as_of, revision=0, timings_ms=watch.report())
