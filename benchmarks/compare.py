"""Two runs of the same questions side by side: what changed, and whether it changed too much.

A run is compared system by system and never averaged over systems. Where both runs kept their
samples, the change of accuracy has a paired bootstrap interval over the questions (Efron and
Tibshirani 1993, ch. 13): the same questions were asked, so most of the noise cancels.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import table
from benchmarks.results import SAMPLES, Percentiles, Results, Summary
from benchmarks.schema import BenchmarkError, open_lines

_CONDITION = re.compile(
    r"(?:(?P<system>\w+):)?(?P<metric>[a-z]\w*(?:\.p\d\d)?)\s*(?P<sign>[<>])\s*"
    r"(?P<bound>[+-]?\d+(?:\.\d+)?)(?P<percent>%)?"
)
_SHOWN = ("accuracy", "exact_match", "f1", "stale_rate", "abstain_rate", "hit_at_1", "hit_at_k")
_TIMES = ("ttft_ms.p50", "latency_ms.p50")
_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Condition:
    """What must not happen: the change of a metric from the first run to the second crosses a
    bound.

    ``system`` None stands for every system that both runs have. With ``relative`` the change is a
    share of the first run's value.
    """

    text: str
    system: str | None
    metric: str
    above: bool
    bound: float
    relative: bool

    def is_met(self, before: float, after: float) -> bool:
        """True when the change crosses the bound. Raises BenchmarkError for a share of nothing."""
        change = after - before
        if self.relative:
            if before == 0:
                raise BenchmarkError(
                    f"{self.text!r} asks for a share of {self.metric}, which was 0: "
                    "give a bound without %"
                )
            change /= abs(before)
        return change > self.bound if self.above else change < self.bound


@dataclass(frozen=True, slots=True)
class Change:
    """One metric of one system in both runs; ``ci95`` only of accuracy, only with samples."""

    system: str
    metric: str
    before: float | None
    after: float | None
    ci95: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every change, the systems that only one run has, and which conditions were met by whom."""

    changes: tuple[Change, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    failures: tuple[str, ...]


def parse_condition(text: str) -> Condition:
    """``accuracy<-0.02``, ``attention:stale_rate>0.01``, ``ttft_ms.p50>+15%``.

    The sign and bound are of the change, second run minus first; of two given figures a rise is
    positive. Raises BenchmarkError.
    """
    match = _CONDITION.fullmatch(text.strip())
    if match is None:
        raise BenchmarkError(
            f"{text!r} is no condition; write one as 'accuracy<-0.02', 'rag8:f1<-0.05' or "
            "'ttft_ms.p50>+15%'"
        )
    bound = float(match["bound"])
    return Condition(
        text=text.strip(),
        system=match["system"],
        metric=match["metric"],
        above=match["sign"] == ">",
        bound=bound / 100 if match["percent"] else bound,
        relative=bool(match["percent"]),
    )


def compare(
    before: Results,
    after: Results,
    conditions: Sequence[Condition] = (),
    *,
    verdicts: tuple[Verdicts, Verdicts] | None = None,
) -> Comparison:
    """Every system that both runs have; ``verdicts`` are those of the samples, for intervals.

    Raises BenchmarkError when the runs asked different questions, share no system, or a condition
    names a system or metric that there is nothing to say of.
    """
    _check_same_questions(before.config, after.config)
    shared = [name for name in before.systems if name in after.systems]
    if not shared:
        raise BenchmarkError(
            f"the runs share no system: {', '.join(before.systems)} against "
            f"{', '.join(after.systems)}"
        )
    changes = [
        Change(
            name,
            metric,
            metric_of(before.systems[name].overall, metric),
            metric_of(after.systems[name].overall, metric),
            _interval(name, verdicts) if metric == "accuracy" and verdicts else None,
        )
        for name in shared
        for metric in (*_SHOWN, *_TIMES)
    ]
    failures = [
        failure
        for condition in conditions
        for failure in _failures(condition, before, after, shared)
    ]
    return Comparison(
        changes=tuple(changes),
        only_before=tuple(name for name in before.systems if name not in after.systems),
        only_after=tuple(name for name in after.systems if name not in before.systems),
        failures=tuple(failures),
    )


def metric_of(summary: Summary, metric: str) -> float | None:
    """A figure of a summary by name: ``accuracy``, ``ttft_ms.p50``. Raises BenchmarkError."""
    field, _, part = metric.partition(".")
    value = getattr(summary, field, metric)
    if isinstance(value, Percentiles) and part in Percentiles.__slots__:
        return float(getattr(value, part))
    if value is None or (isinstance(value, int | float) and not part):
        return value
    names = ", ".join((*_SHOWN, *_TIMES, "knowledge_tokens", "prompt_tokens"))
    raise BenchmarkError(f"there is no metric {metric!r}; choose among {names}")


Verdicts = Mapping[str, Mapping[str, bool]]
"""System -> question id -> whether it was answered correctly."""


def read_verdicts(folder: Path) -> Verdicts | None:
    """Who was right, from a run's samples; None where the run kept none. Raises BenchmarkError."""
    path = folder / SAMPLES
    if not path.exists():
        return None
    found: dict[str, dict[str, bool]] = {}
    for number, line in enumerate(open_lines(path), start=1):
        try:
            record = json.loads(line)
            found.setdefault(record["system"], {})[record["id"]] = bool(record["correct"])
        except (ValueError, KeyError, TypeError) as error:
            raise BenchmarkError(f"{path}, line {number} is no sample: {error!r}") from error
    return found


def paired_interval(
    before: Sequence[bool], after: Sequence[bool], *, seed: int = 0
) -> tuple[float, float]:
    """A 95 % percentile-bootstrap interval of the change of accuracy over the same n questions.

    A resample counts how many questions were gained and lost: a multinomial, drawn directly.
    """
    n = len(before)
    gained = sum(new and not old for old, new in zip(before, after, strict=True))
    lost = sum(old and not new for old, new in zip(before, after, strict=True))
    shares = [gained / n, lost / n, (n - gained - lost) / n]
    drawn = np.random.default_rng(seed).multinomial(n, shares, _RESAMPLES)
    low, high = np.percentile((drawn[:, 0] - drawn[:, 1]) / n, [2.5, 97.5])
    return float(low), float(high)


def markdown(found: Comparison) -> str:
    """The changes as a Markdown table, and what failed. Ends with a newline."""
    rows = [
        [change.system, change.metric, *_shown(change)]
        for change in found.changes
        if change.before is not None or change.after is not None
    ]
    parts = [table(("system", "metric", "before", "after", "change"), rows)]
    for when, names in (("first", found.only_before), ("second", found.only_after)):
        if names:
            parts.append(f"Only in the {when} run: {', '.join(names)}.")
    parts += [f"FAILED {failure}" for failure in found.failures]
    return "\n\n".join(parts) + "\n"


def _shown(change: Change) -> tuple[str, str, str]:
    digits = 0 if change.metric in _TIMES else 3
    before, after = (
        "–" if value is None else f"{value:.{digits}f}" for value in (change.before, change.after)
    )
    if change.before is None or change.after is None:
        return before, after, "–"
    difference = f"{change.after - change.before:+.{digits}f}"
    if change.ci95 is not None:
        low, high = change.ci95
        difference += f" [{low:+.3f}, {high:+.3f}]"
    return before, after, difference


def _failures(
    condition: Condition, before: Results, after: Results, shared: Sequence[str]
) -> list[str]:
    if condition.system is not None and condition.system not in shared:
        raise BenchmarkError(
            f"{condition.text!r} names a system that is not in both runs; "
            f"both have {', '.join(shared)}"
        )
    failures, judged = [], 0
    for name in [condition.system] if condition.system else shared:
        old = metric_of(before.systems[name].overall, condition.metric)
        new = metric_of(after.systems[name].overall, condition.metric)
        if old is None and new is None:
            continue
        judged += 1
        # A figure that one run lacks cannot be called unchanged.
        if old is None or new is None or condition.is_met(old, new):
            values = " → ".join(
                "nothing" if value is None else f"{value:g}" for value in (old, new)
            )
            failures.append(f"{condition.text}: {name} {values}")
    if not judged:
        raise BenchmarkError(f"{condition.text!r}: no system of these runs has that metric")
    return failures


def _check_same_questions(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    def asked(config: Mapping[str, Any]) -> tuple[object, ...]:
        questions = config["questions"]
        drawn = questions["asked"] < questions["total"]
        return (questions["sha256"], questions["asked"], config["seed"] if drawn else None)

    if asked(before) != asked(after):
        raise BenchmarkError(
            "the two runs asked different questions, so their figures cannot be compared; "
            "run both with the same --questions, --limit and --seed"
        )


def _interval(name: str, verdicts: tuple[Verdicts, Verdicts]) -> tuple[float, float] | None:
    before, after = (each.get(name, {}) for each in verdicts)
    ids = [each for each in before if each in after]
    if not ids:
        return None
    return paired_interval([before[each] for each in ids], [after[each] for each in ids])
