"""The loop of ``dysk bench run``: every question to every system, one line for each answer."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.metrics import hits, score
from benchmarks.results import SAMPLES
from benchmarks.schema import BenchmarkError, Question, Sample, SampleEvidence
from benchmarks.systems import Asker, Contestant
from dysk.answer import Answer
from dysk.errors import DyskError, ModelUnavailable
from graph.errors import GraphError

_WARM_UP = Question("warm-up", "What is the capital of France?", ("Paris",))


def draw(questions: Sequence[Question], limit: int | None, seed: int) -> list[Question]:
    """``random.Random(seed).sample`` over the file's order; all of it without a lower limit."""
    if limit is not None and limit < 1:
        raise BenchmarkError(f"--limit {limit} asks nothing; give a number from 1 up")
    if limit is None or limit >= len(questions):
        return list(questions)
    return random.Random(seed).sample(questions, limit)  # noqa: S311 (a sample, not a secret)


def run(
    graph: Asker,
    questions: Sequence[Question],
    systems: Sequence[Contestant],
    *,
    revision: int,
    folder: Path,
    progress: Callable[[], None] | None = None,
) -> dict[str, list[Sample]]:
    """Ask everything in this process, one ask at a time; see ``record``."""
    warm_up(graph, systems, revision)
    answered = (
        ask_all(graph, systems, number, question, revision)
        for number, question in enumerate(questions)
    )
    return record(answered, systems, folder, progress)


def record(
    answered: Iterable[list[Sample]],
    systems: Sequence[Contestant],
    folder: Path,
    progress: Callable[[], None] | None = None,
) -> dict[str, list[Sample]]:
    """Write ``samples.jsonl`` into an existing folder as answers come; samples by system.

    Lines go to a ``.partial`` file that gets its name when it is whole. ``progress`` is called once
    for each sample.
    """
    samples: dict[str, list[Sample]] = {system.name: [] for system in systems}
    partial = folder / f"{SAMPLES}.partial"
    with partial.open("w", encoding="utf-8") as file:
        for of_question in answered:
            for sample in of_question:
                samples[sample.system].append(sample)
                file.write(sample.to_line())
                if progress:
                    progress()
            file.flush()
    partial.replace(folder / SAMPLES)
    return samples


def warm_up(graph: Asker, systems: Sequence[Contestant], revision: int) -> None:
    """Models, prefixes and code paths load here, outside the timings."""
    for system in systems:
        system.ask(graph, _WARM_UP, revision)


def ask_all(
    graph: Asker, systems: Sequence[Contestant], number: int, question: Question, revision: int
) -> list[Sample]:
    """One question to each system before the next question, so that a noisy minute hits all alike.

    An ask that fails becomes a wrong sample with its error; only a missing model stops the run.
    """
    return [ask(graph, system, question, revision) for system in in_turn(number, systems)]


def in_turn(number: int, systems: Sequence[Contestant]) -> list[Contestant]:
    """The order of systems for the ``number``-th question.

    Whoever comes later finds warmer caches, so every second question goes round backwards, and
    every two questions another system goes first.
    """
    first = number // 2 % len(systems)
    turn = [*systems[first:], *systems[:first]]
    return turn[::-1] if number % 2 else turn


def ask(graph: Asker, system: Contestant, question: Question, revision: int) -> Sample:
    """Ask and judge. Raises ModelUnavailable; any other error of dysk goes into the sample."""
    began = time.perf_counter()
    try:
        answer = system.ask(graph, question, revision)
    except ModelUnavailable:
        raise
    except (DyskError, GraphError) as error:
        return _judged(system, question, None, None, error=f"{error.code}: {error}")
    return _judged(system, question, answer, (time.perf_counter() - began) * 1000)


def ttft_ms(answer: Answer) -> float:
    """Time to first token: all stages but decode."""
    return answer.timings_ms["total"] - answer.timings_ms.get("decode", 0.0)


def _judged(
    system: Contestant,
    question: Question,
    answer: Answer | None,
    latency_ms: float | None,
    error: str | None = None,
) -> Sample:
    output = answer.text if answer else ""
    abstained = answer is not None and answer.status == "abstained"
    evidence = answer.evidence if answer else ()
    verdict = score(question, output, abstained=abstained)
    at_1: bool | None = None
    at_k: bool | None = None
    if system.mode != "closed_book":
        at_1, at_k = hits(question, [fact.fact_id for fact in evidence])
    return Sample(
        system=system.name,
        id=question.id,
        question=question.question,
        kind=question.kind,
        hops=question.hops,
        as_of=question.as_of,
        answers=question.answers,
        old_answers=question.old_answers,
        gold_facts=question.facts,
        output=output,
        evidence=tuple(
            SampleEvidence(fact.fact_id, fact.attention, fact.coarse_score) for fact in evidence
        ),
        correct=verdict.correct,
        exact_match=verdict.exact_match,
        f1=verdict.f1,
        stale=verdict.stale,
        abstained=abstained,
        grounded=answer.grounded if answer else None,
        hit_at_1=at_1,
        hit_at_k=at_k,
        ttft_ms=ttft_ms(answer) if answer else None,
        latency_ms=latency_ms,
        timings_ms=answer.timings_ms if answer else {},
        usage=asdict(answer.usage) if answer else {},
        error=error,
    )
