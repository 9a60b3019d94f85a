"""Time to first token, three ways over one graph: closed book, attention, and RAG with the same
facts.

Everything that a process pays once is paid before the clock counts: models are loaded, prefixes
cached, and each question was asked before, so that attention finds its facts' blocks in memory.
Modes take turns within a round, and the ratios are between neighbours in a round, so that a slow
minute divides out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from benchmarks.run import ttft_ms
from benchmarks.schema import BenchmarkError
from benchmarks.systems import TOP_K, Asker
from dysk.answer import Answer, Mode
from graph.fact import Fact


@dataclass(frozen=True, slots=True)
class Timed:
    """A question to time, at a time at which its fact holds."""

    question: str
    as_of: str | None


@dataclass(frozen=True, slots=True)
class Spread:
    """The 20th, 50th and 80th percentiles: milliseconds, or a ratio of them."""

    p20: float
    median: float
    p80: float


@dataclass(frozen=True, slots=True)
class ModeTimes:
    """A mode's time to first token, the medians of its stages, and mean tokens of what it read."""

    ttft_ms: Spread
    stages_ms: dict[str, float]
    prompt_tokens: float
    knowledge_tokens: float


@dataclass(frozen=True, slots=True)
class FirstToken:
    """Times by mode and the two ratios, over ``questions`` × ``rounds`` asks of each mode.

    ``facts_in_prompt`` is the mean number that RAG had to read: below ``candidates`` when the
    graph holds fewer facts at the time asked about.
    """

    candidates: int
    questions: int
    rounds: int
    facts_in_prompt: float
    modes: dict[Mode, ModeTimes]
    attention_over_closed_book: Spread
    attention_over_rag: Spread


class Listing(Protocol):
    """The part of ``dysk.Dysk`` that questions are made from."""

    def facts(self, *, limit: int | None = None) -> list[Fact]:
        """Facts in order of their first recording."""
        ...


def questions_from(graph: Listing, count: int, seed: int) -> list[Timed]:
    """``count`` questions on facts drawn from the graph; fewer when it holds fewer.

    Raises BenchmarkError for an empty graph or a count below 1.
    """
    facts = graph.facts()
    if not facts or count < 1:
        raise BenchmarkError("there is nothing to ask; give a file with facts and a count above 0")
    drawn = random.Random(seed).sample(facts, min(count, len(facts)))  # noqa: S311 (no secret)
    return [
        Timed(f"What is the {fact.relation} of {fact.subject}?", fact.valid_from) for fact in drawn
    ]


def measure(
    graph: Asker,
    questions: Sequence[Timed],
    *,
    candidates: int,
    rounds: int,
    progress: Callable[[], None] | None = None,
) -> FirstToken:
    """Ask each question ``rounds`` + 1 times in each mode and time all but the first round."""
    top_k: dict[Mode, int] = {"closed_book": TOP_K, "attention": TOP_K, "rag": candidates}
    answers: dict[Mode, list[Answer]] = {mode: [] for mode in top_k}
    for timed in questions:
        for number in range(rounds + 1):
            for mode, k in top_k.items():
                answer = graph.ask(
                    timed.question,
                    as_of=timed.as_of,
                    mode=mode,
                    candidates=candidates,
                    top_k=k,
                    grounding="off",  # one token names nothing, and would be repaired
                    max_tokens=1,
                )
                if number:
                    answers[mode].append(answer)
        if progress:
            progress()
    times = {mode: [ttft_ms(answer) for answer in given] for mode, given in answers.items()}
    return FirstToken(
        candidates=candidates,
        questions=len(questions),
        rounds=rounds,
        facts_in_prompt=float(np.mean([len(answer.evidence) for answer in answers["rag"]])),
        modes={
            mode: ModeTimes(
                ttft_ms=spread(times[mode]),
                stages_ms=_stages(given),
                prompt_tokens=float(np.mean([a.usage.prompt_tokens for a in given])),
                knowledge_tokens=float(np.mean([a.usage.knowledge_tokens for a in given])),
            )
            for mode, given in answers.items()
        },
        attention_over_closed_book=ratio(times["attention"], times["closed_book"]),
        attention_over_rag=ratio(times["attention"], times["rag"]),
    )


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> Spread:
    """The spread of the ratios between values measured side by side."""
    return spread([a / b for a, b in zip(numerators, denominators, strict=True)])


def spread(values: Sequence[float]) -> Spread:
    """Percentiles 20, 50 and 80, linearly interpolated, to three decimals."""
    p20, median, p80 = (round(float(p), 3) for p in np.percentile(values, [20, 50, 80]))
    return Spread(p20, median, p80)


def _stages(answers: Sequence[Answer]) -> dict[str, float]:
    return {
        stage: round(float(np.median([answer.timings_ms[stage] for answer in answers])), 3)
        for stage in answers[0].timings_ms
    }


def table(result: FirstToken) -> str:
    """The result as Markdown, ending with a newline."""
    from benchmarks.report import table as markdown_table

    rows = [
        [
            mode,
            _shown(times.ttft_ms, 0),
            f"{times.prompt_tokens:.0f}",
            f"{times.knowledge_tokens:.0f}",
        ]
        for mode, times in result.modes.items()
    ]
    header = ("mode", "first token ms, median [p20, p80]", "prompt tokens", "knowledge tokens")
    return (
        f"{markdown_table(header, rows)}\n\n"
        f"attention / closed book: {_shown(result.attention_over_closed_book, 2)}\n"
        f"attention / RAG with {result.facts_in_prompt:.0f} facts: "
        f"{_shown(result.attention_over_rag, 3)}\n"
    )


def _shown(spread: Spread, digits: int) -> str:
    return f"{spread.median:.{digits}f} [{spread.p20:.{digits}f}, {spread.p80:.{digits}f}]"
