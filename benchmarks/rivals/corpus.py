"""The facts that a rival was told, found by a ranker and filtered by time."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.rivals.dense import Ranker
from benchmarks.rivals.protocol import Models
from benchmarks.schema import Question
from dysk.candidates import Candidate
from graph.fact import Fact
from graph.interval import Interval, Period, now_period, parse_date


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as retrieval sees it: the time meant, and the words without it."""

    period: Period
    words: str


class Corpus:
    """The latest version of every fact, as sentences. A fact that holds nowhere is not kept.

    Time is filtered exactly and read from the question as dysk reads it: without the filter every
    retriever finds what used to be so (docs/log.md), and the comparison would be of that.
    """

    def __init__(self, models: Models, ranker: Ranker) -> None:
        self._models = models
        self._ranker = ranker
        self._facts: dict[str, tuple[Fact, str, Interval]] = {}

    def update(self, fact: Fact) -> None:
        """Know this version of a fact in place of any other."""
        interval = fact.interval
        if interval.start >= interval.end:
            self._facts.pop(fact.id, None)
            self._ranker.drop(fact.id)
            return
        text = self._models.wording(fact)
        known = self._facts.get(fact.id)
        if known is None or known[1] != text:
            self._ranker.put(fact.id, text)
        self._facts[fact.id] = fact, text, interval

    def read(self, question: Question) -> Asked:
        """The question's own ``as_of``, else the time that it speaks of, else now."""
        time = self._models.read_time(question.question)
        if question.as_of is not None:
            return Asked(parse_date(question.as_of), time.question_without_time)
        return Asked(time.as_of or now_period(), time.question_without_time)

    def find(self, asked: Asked, count: int | None) -> list[Candidate]:
        """The best ``count`` facts that hold then, best first, no sentence twice; None is all."""
        scores = self._ranker.scores(asked.words)
        found: dict[str, Candidate] = {}
        for key in sorted(scores, key=lambda key: -scores[key]):
            fact, text, interval = self._facts[key]
            if interval.overlaps(asked.period):
                found.setdefault(text, Candidate(fact, text, scores[key]))
                if len(found) == count:
                    break
        return list(found.values())

    def known(self, fact_ids: tuple[str, ...]) -> list[Candidate]:
        """These facts, as far as they are known."""
        return [
            Candidate(fact, text, 1.0)
            for fact, text, _ in (self._facts[key] for key in fact_ids if key in self._facts)
        ]
