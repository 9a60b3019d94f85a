"""``results.json``: one summary a system, overall and by kind and by number of hops."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.schema import BenchmarkError, Sample

RESULTS = "results.json"
SAMPLES = "samples.jsonl"
_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Percentiles:
    """The median and the 95th percentile, in milliseconds."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Means over ``n`` samples. Rates and F1 are in [0, 1].

    ``stale_rate`` is over the ``stale_n`` questions that have old answers, the hit rates over
    those that have gold facts, the times over asks that did not fail; each is None where there is
    none of them. Failed asks (``errors``) count as wrong. ``prompt_tokens`` and
    ``knowledge_tokens`` are means; ``tokens_per_s`` is the median of tokens spoken a second of
    decoding, None in results from before it was taken.
    """

    n: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    exact_match: float
    f1: float
    stale_rate: float | None
    stale_n: int
    abstain_rate: float
    hit_at_1: float | None
    hit_at_k: float | None
    ttft_ms: Percentiles | None
    latency_ms: Percentiles | None
    prompt_tokens: float | None
    knowledge_tokens: float | None
    errors: int
    tokens_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class SystemResult:
    """A system's summaries. The keys of ``by_hops`` are numbers as text: ``"1"``."""

    overall: Summary
    by_kind: dict[str, Summary]
    by_hops: dict[str, Summary]


@dataclass(frozen=True, slots=True)
class Results:
    """All of a run: ``config`` is what was asked for, ``environment`` what it ran on."""

    systems: dict[str, SystemResult]
    config: dict[str, Any]
    environment: dict[str, Any]


def summarise(samples: Sequence[Sample]) -> Summary:
    """Average samples of one system. Raises ValueError when there is none."""
    if not samples:
        raise ValueError("no sample to summarise")
    right = sum(sample.correct for sample in samples)
    stale = _known(sample.stale for sample in samples)
    answered = [sample for sample in samples if sample.error is None]
    return Summary(
        n=len(samples),
        accuracy=right / len(samples),
        accuracy_ci95=bootstrap_interval(right, len(samples)),
        exact_match=sum(sample.exact_match for sample in samples) / len(samples),
        f1=sum(sample.f1 for sample in samples) / len(samples),
        stale_rate=_mean(stale),
        stale_n=len(stale),
        abstain_rate=sum(sample.abstained for sample in samples) / len(samples),
        hit_at_1=_mean(_known(sample.hit_at_1 for sample in samples)),
        hit_at_k=_mean(_known(sample.hit_at_k for sample in samples)),
        ttft_ms=percentiles(_known(sample.ttft_ms for sample in samples)),
        latency_ms=percentiles(_known(sample.latency_ms for sample in samples)),
        prompt_tokens=_mean([sample.usage["prompt_tokens"] for sample in answered]),
        knowledge_tokens=_mean([sample.usage["knowledge_tokens"] for sample in answered]),
        errors=len(samples) - len(answered),
        tokens_per_s=_median_speed(answered),
    )


def summarise_system(samples: Sequence[Sample]) -> SystemResult:
    """Summaries of one system's samples: overall, by kind, and by hops where they are stated."""
    by_kind: dict[str, list[Sample]] = {}
    by_hops: dict[int, list[Sample]] = {}
    for sample in samples:
        by_kind.setdefault(sample.kind, []).append(sample)
        if sample.hops is not None:
            by_hops.setdefault(sample.hops, []).append(sample)
    return SystemResult(
        overall=summarise(samples),
        by_kind={kind: summarise(by_kind[kind]) for kind in sorted(by_kind)},
        by_hops={str(hops): summarise(by_hops[hops]) for hops in sorted(by_hops)},
    )


def bootstrap_interval(right: int, n: int, *, seed: int = 0) -> tuple[float, float]:
    """A 95 % percentile-bootstrap interval for ``right`` of ``n`` (Efron and Tibshirani 1993, ch.
    13).

    Resampling n verdicts with replacement draws their sum from a binomial, so the binomial is
    drawn directly.
    """
    shares = np.random.default_rng(seed).binomial(n, right / n, _RESAMPLES) / n
    low, high = np.percentile(shares, [2.5, 97.5])
    return float(low), float(high)


def percentiles(values: Sequence[float]) -> Percentiles | None:
    """Median and 95th percentile, linearly interpolated; None of nothing."""
    if not values:
        return None
    p50, p95 = np.percentile(values, [50, 95])
    return Percentiles(round(float(p50), 3), round(float(p95), 3))


def write_results(results: Results, folder: Path) -> None:
    """Write ``results.json``, whole or not at all."""
    partial = folder / f"{RESULTS}.partial"
    partial.write_text(json.dumps(asdict(results), indent=2, ensure_ascii=False) + "\n", "utf-8")
    partial.replace(folder / RESULTS)


def read_results(folder: Path) -> Results:
    """Read ``results.json``. Raises BenchmarkError when it is missing or holds something else."""
    path = folder / RESULTS
    try:
        record = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BenchmarkError(
            f"cannot read {path}: {error.strerror}; give the --out folder of a finished `bench run`"
        ) from error
    except ValueError as error:
        raise BenchmarkError(f"{path} is not the results of `bench run`: {error!r}") from error
    return parse_results(record, str(path))


def parse_results(record: Any, name: str) -> Results:
    """Results from their JSON; ``name`` is what errors call it. Raises BenchmarkError."""
    try:
        systems = {name: _system(system) for name, system in record["systems"].items()}
        return Results(systems, dict(record["config"]), dict(record["environment"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchmarkError(f"{name} is not the results of `bench run`: {error!r}") from error


def _system(record: Mapping[str, Any]) -> SystemResult:
    return SystemResult(
        overall=_summary(record["overall"]),
        by_kind={kind: _summary(summary) for kind, summary in record["by_kind"].items()},
        by_hops={hops: _summary(summary) for hops, summary in record["by_hops"].items()},
    )


def _summary(record: Mapping[str, Any]) -> Summary:
    low, high = record["accuracy_ci95"]
    times = {
        field: None if record[field] is None else Percentiles(**record[field])
        for field in ("ttft_ms", "latency_ms")
    }
    return Summary(**{**record, **times, "accuracy_ci95": (low, high)})


def _median_speed(samples: Sequence[Sample]) -> float | None:
    speeds = [
        sample.usage["completion_tokens"] / sample.timings_ms["decode"] * 1e3
        for sample in samples
        if sample.timings_ms.get("decode") and sample.usage.get("completion_tokens")
    ]
    return round(float(np.median(speeds)), 1) if speeds else None


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
