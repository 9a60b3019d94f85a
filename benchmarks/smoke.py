"""``dysk bench smoke``: a few minutes that tell whether a change made answers worse or slower.

Only ratios are compared, of figures taken side by side on one machine, so that a baseline from
another machine still holds. In each a higher figure is better.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.results import summarise
from benchmarks.run import ask_all
from benchmarks.schema import BenchmarkError, Question
from benchmarks.speed.ttft import FirstToken, Listing, measure, questions_from
from benchmarks.systems import Asker, choose_systems

ROOT = Path(__file__).parent
QUESTIONS = ROOT / "data" / "world_questions.jsonl"
MOST_LOST = 0.15
"""A ratio may fall by so much, as a share of the baseline's."""
_TIMED, _ROUNDS, _CANDIDATES = 8, 3, 8

Ratios = dict[str, float]


def ratios(
    graph: Asker,
    timed: Asker,
    facts: Listing,
    questions: Sequence[Question],
    revision: int,
    progress: Callable[[], None] | None = None,
) -> Ratios:
    """Accuracy of ``graph`` over the questions, and times to the first token of ``timed``."""
    systems = choose_systems("rag1,attention")
    samples = [
        sample
        for number, question in enumerate(questions)
        for sample in ask_all(graph, systems, number, question, revision)
    ]
    right = {
        system.name: summarise([s for s in samples if s.system == system.name]).accuracy
        for system in systems
    }
    speed = measure(
        timed,
        questions_from(facts, _TIMED, seed=0),
        candidates=_CANDIDATES,
        rounds=_ROUNDS,
        progress=progress,
    )
    return combined(right, speed)


def combined(right: Mapping[str, float], speed: FirstToken) -> Ratios:
    """The ratios by name, to three decimals."""
    if not right["rag1"]:
        raise BenchmarkError("rag1 answered nothing, so there is nothing to compare with")
    return {
        "questions answered by attention / asked": round(right["attention"], 3),
        "accuracy of attention / rag1": round(right["attention"] / right["rag1"], 3),
        "first token of closed book / attention": round(
            1 / speed.attention_over_closed_book.median, 3
        ),
        f"first token of rag with {_CANDIDATES} facts / attention": round(
            1 / speed.attention_over_rag.median, 3
        ),
    }


def fallen(baseline: Mapping[str, float], now: Mapping[str, float]) -> list[str]:
    """A sentence for each ratio of the baseline that is missing or fell by more than 15 %."""
    return [
        f"{name}: {now.get(name, 0):.3f} where the baseline has {before:.3f}"
        for name, before in baseline.items()
        if now.get(name, 0) < (1 - MOST_LOST) * before
    ]


def read_baseline(path: Path) -> Ratios:
    """The committed ratios. Raises BenchmarkError."""
    try:
        return {str(name): float(value) for name, value in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BenchmarkError(
            f"{path} is no baseline ({error}); write one with `dysk bench smoke --write`"
        ) from error


def write_baseline(path: Path, now: Ratios) -> None:
    """Keep these ratios as the baseline. Raises BenchmarkError."""
    try:
        path.write_text(json.dumps(now, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise BenchmarkError(f"cannot write {path}: {error.strerror}") from error
