"""``results.json`` as Markdown tables: figures in README and docs are made here, never typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.results import Percentiles, Results, Summary

_COLUMNS = (
    "system",
    "n",
    "accuracy [95 %]",
    "exact",
    "F1",
    "stale",
    "abstained",
    "hit@1",
    "hit@k",
    "first token ms p50 / p95",
    "answer ms p50 / p95",
    "prompt tokens",
    "tokens/s",
)


def markdown(results: Results) -> str:
    """Three tables (overall, accuracy by kind, accuracy by hops) and a line on how they were made.

    The last two are left out where they would say nothing new. Ends with a newline.
    """
    overall = table(
        _COLUMNS, [_row(name, system.overall) for name, system in results.systems.items()]
    )
    kinds = {name: system.by_kind for name, system in results.systems.items()}
    hops = {name: system.by_hops for name, system in results.systems.items()}
    parts = [overall, _accuracies("kind", kinds), _accuracies("hops", hops), _origin(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_of_runs(names: Sequence[str], runs: Sequence[Results]) -> str:
    """Accuracy by system and run, then the tables of each run under its name.

    Runs stand beside each other and are never averaged. Ends with a newline.
    """
    systems = dict.fromkeys(system for run in runs for system in run.systems)
    rows = [
        [
            system,
            *(
                _interval(run.systems[system].overall) if system in run.systems else "–"
                for run in runs
            ),
        ]
        for system in systems
    ]
    columns = [
        "accuracy [95 %]",
        *(f"{n} (n={_asked(r)})" for n, r in zip(names, runs, strict=True)),
    ]
    parts = [f"## {name}\n\n{markdown(run)}" for name, run in zip(names, runs, strict=True)]
    return "\n\n".join([table(columns, rows), *parts]).rstrip("\n") + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, numbers to the right; pipes are escaped."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _row(name: str, summary: Summary) -> list[str]:
    failed = f" ({summary.errors} failed)" if summary.errors else ""
    return [
        name,
        f"{summary.n}{failed}",
        _interval(summary),
        _rate(summary.exact_match),
        _rate(summary.f1),
        _rate(summary.stale_rate),
        _rate(summary.abstain_rate),
        _rate(summary.hit_at_1),
        _rate(summary.hit_at_k),
        _times(summary.ttft_ms),
        _times(summary.latency_ms),
        *(
            "–" if value is None else f"{value:.0f}"
            for value in (summary.prompt_tokens, summary.tokens_per_s)
        ),
    ]


_EDITING = {
    "updated": "efficacy",
    "paraphrase": "generalisation",
    "unchanged": "locality",
    "multi-hop": "portability",
}
"""Kinds that measure what EasyEdit (arXiv 2401.01286) gives another name."""


def _accuracies(title: str, groups: dict[str, dict[str, Summary]]) -> str:
    """Accuracy by system and group, with the group's size; empty for fewer than two groups."""
    sizes = {group: summary.n for system in groups.values() for group, summary in system.items()}
    if len(sizes) < 2:
        return ""
    columns = [f"accuracy by {title}", *(_headed(group, n) for group, n in sizes.items())]
    return table(
        columns,
        [
            [name, *(_rate(system[g].accuracy) if g in system else "–" for g in sizes)]
            for name, system in groups.items()
        ],
    )


def _headed(group: str, n: int) -> str:
    editing = f", {_EDITING[group]}" if group in _EDITING else ""
    return f"{group}{editing} (n={n})"


def _origin(results: Results) -> str:
    config, environment = results.config, results.environment
    facts, questions = config["facts"], config["questions"]
    versions = ", ".join(f"{name} {found}" for name, found in environment["versions"].items())
    return (
        f"{questions['asked']} of {questions['total']} questions of {questions['name']}, "
        f"seed {config['seed']}, over {facts['added'] + facts['unchanged']} facts of "
        f"{facts['name']}. {environment['model']} on {environment['cpu']}, "
        f"{_processes(config, environment)}; {versions}; {environment['date']}.{_room(config)}"
    )


def _room(config: Mapping[str, Any]) -> str:
    """What the run took of memory and disk, where it was measured."""
    room = config.get("room")
    if room is None:
        return ""
    return (
        f" {room['disk_bytes_per_fact']:.0f} bytes a fact on disk; "
        f"{room['peak_rss_bytes'] / 2**20:.0f} MiB of memory at most, in the largest process."
    )


def _interval(summary: Summary) -> str:
    low, high = summary.accuracy_ci95
    return f"{summary.accuracy:.3f} [{low:.3f}, {high:.3f}]"


def _asked(results: Results) -> int:
    return int(results.config["questions"]["asked"])


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _times(value: Percentiles | None) -> str:
    return "–" if value is None else f"{value.p50:.0f} / {value.p95:.0f}"


def _processes(config: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
    workers, threads = config.get("workers", 1), environment["threads"]
    if workers == 1:
        return f"{threads} threads"
    return f"{workers} processes of {threads} thread" + ("s" if threads > 1 else "")
