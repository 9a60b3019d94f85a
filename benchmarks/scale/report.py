"""The study as JSON, as Markdown and as pictures; figures in docs are made here, never typed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.growth_plot import Panel, draw
from benchmarks.harness import export
from benchmarks.report import table
from benchmarks.results import Percentiles, Results, write_results
from benchmarks.scale.growth import Growth, fit
from benchmarks.scale.study import Step
from benchmarks.schema import BenchmarkError

NAME = "scale"
_STAGES = ("time", "coarse", "encode", "prefill", "decode", "total")
_MEASURES: dict[str, Callable[[Step], float | None]] = {
    "search, ms of the processor, p50": lambda step: step.search_cpu_ms.p50,
    "whole ask, ms of the processor, p50": lambda step: step.ask_cpu_ms.p50,
    "time and coarse, ms, p50": lambda step: _stage(step, "time") + _stage(step, "coarse"),
    "whole ask, ms, p50": lambda step: _stage(step, "total"),
    "write until found, ms, p50": lambda step: step.visible_ms.p50,
    "load, s": lambda step: step.load_s,
    "index, s": lambda step: step.index_s,
    "memory beyond the models, MB": lambda step: step.rss_mb - step.rss_models_mb,
    "disk, MB": lambda step: step.disk_mb,
}


def growths(steps: Sequence[Step]) -> dict[str, Growth | None]:
    """The exponent of each measure."""
    sizes = [step.facts for step in steps]
    return {name: fit(sizes, [of(step) for step in steps]) for name, of in _MEASURES.items()}


def write(
    steps: Sequence[Step], config: Mapping[str, Any], environment: Mapping[str, Any], folder: Path
) -> None:
    """Write ``scale.json``, ``scale.md`` and, where matplotlib is, the pictures, and for each size
    what ``bench run`` writes, in the shape of lm-evaluation-harness as well. Raises BenchmarkError.
    """
    found = {name: growth and asdict(growth) for name, growth in growths(steps).items()}
    record = {
        "result": {"steps": [asdict(step) for step in steps], "growth": found},
        "config": dict(config),
        "environment": dict(environment),
    }
    for step in steps:
        place = folder / str(step.facts)
        results = Results(step.systems, {**config, "facts": step.facts}, dict(environment))
        write_results(results, place)
        export(results, place, place / "harness")
    try:
        text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        (folder / f"{NAME}.json").write_text(text, "utf-8")
        (folder / f"{NAME}.md").write_text(markdown(steps, environment), "utf-8")
    except OSError as error:
        raise BenchmarkError(f"cannot write to {folder}: {error.strerror}") from error


def draw_growth(steps: Sequence[Step], folder: Path) -> list[Path]:
    """``scale.png`` and ``scale.svg``. Raises BenchmarkError without matplotlib."""
    return draw(folder / NAME, [step.facts for step in steps], panels(steps))


def markdown(steps: Sequence[Step], environment: Mapping[str, Any]) -> str:
    """What was answered, how long it took, what it needs, and how that grows."""
    systems = list(steps[0].systems)
    answers = table(
        ("facts", "slots", *(f"{name} [95 %]" for name in systems), "hit@1", "coarse hit@32"),
        [
            [
                f"{step.facts:,}",
                f"{step.slots:,}",
                *(_accuracy(step, name) for name in systems),
                _share(step.systems["attention"].overall.hit_at_1),
                _share(step.coarse_hit),
            ]
            for step in steps
        ],
    )
    times = table(
        ("facts", *_STAGES, "write until found", "total, processor", "search, processor"),
        [
            [
                f"{step.facts:,}",
                *(_spread(step.stages_ms.get(stage)) for stage in _STAGES),
                _spread(step.visible_ms),
                _spread(step.ask_cpu_ms),
                _spread(step.search_cpu_ms),
            ]
            for step in steps
        ],
    )
    needs = table(
        ("facts", "load s", "index s", "memory MB", "of it models", "disk MB"),
        [
            [
                f"{step.facts:,}",
                "–" if step.load_s is None else f"{step.load_s:.1f}",
                f"{step.index_s:.1f}",
                f"{step.rss_mb:,.0f}",
                f"{step.rss_models_mb:,.0f}",
                f"{step.disk_mb:,.1f}",
            ]
            for step in steps
        ],
    )
    fitted = table(
        ("grows as facts^b", "b", "95 %"),
        [
            [
                name,
                "–" if growth is None else f"{growth.exponent:.2f}",
                "–"
                if growth is None or growth.ci95 is None
                else "{:.2f} … {:.2f}".format(*growth.ci95),
            ]
            for name, growth in growths(steps).items()
        ],
    )
    made = f"{environment['cpu']}, {environment['threads']} thread, {environment['date'][:10]}."
    parts = (
        "Answers that are right:",
        answers,
        "Milliseconds of an ask in mode attention, p50 / p95, by the clock or of the processor:",
        times,
        "What it takes:",
        needs,
        "Exponents:",
        fitted,
        made,
    )
    return "\n\n".join(parts) + "\n"


def panels(steps: Sequence[Step]) -> list[Panel]:
    """Pictures of answers, times and needs."""
    systems = list(steps[0].systems)
    right: dict[str, list[float | None]] = {
        f"{name}, accuracy": [step.systems[name].overall.accuracy for step in steps]
        for name in systems
    }
    right["coarse, hit@32"] = [step.coarse_hit for step in steps]
    times: dict[str, list[float | None]] = {
        f"{stage}, p50": [
            step.stages_ms[stage].p50 if stage in step.stages_ms else None for step in steps
        ]
        for stage in _STAGES
    }
    times["write until found, p50"] = [step.visible_ms.p50 for step in steps]
    cpu = {
        "whole ask, p50": [step.ask_cpu_ms.p50 for step in steps],
        "search, p95": [step.search_cpu_ms.p95 for step in steps],
        "search, p50": [step.search_cpu_ms.p50 for step in steps],
    }
    needs = {
        "memory beyond the models": [step.rss_mb - step.rss_models_mb for step in steps],
        "disk": [step.disk_mb for step in steps],
    }
    return [
        Panel("Answers", "share", right, is_logarithmic=False),
        Panel("Time of an ask", "ms, by the clock", times),
        Panel("Processor time of an ask", "ms", cpu),
        Panel("What it takes", "MB", needs),
    ]


def _stage(step: Step, name: str) -> float:
    return step.stages_ms[name].p50 if name in step.stages_ms else 0.0


def _accuracy(step: Step, name: str) -> str:
    overall = step.systems[name].overall
    low, high = overall.accuracy_ci95
    return f"{overall.accuracy:.3f} [{low:.3f}, {high:.3f}]"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _spread(value: Percentiles | None) -> str:
    return "–" if value is None else f"{value.p50:.1f} / {value.p95:.1f}"
