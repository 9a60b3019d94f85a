"""A run in the shape of lm-evaluation-harness, for tools that read its results.

The harness keeps a file of results for each model and a file of samples for each task (its
docs/interface.md). Here a system is the model and a kind of question the task, so that groups which
cannot be compared are never averaged: ``FOLDER/<system>/results.json`` and
``samples_<task>.jsonl``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import sqrt
from pathlib import Path
from typing import Any

from benchmarks.results import SAMPLES, Results, Summary
from benchmarks.schema import BenchmarkError, open_lines

_NOT_NAME = re.compile(r"[^\w-]+")
_METRICS = {"accuracy": "acc", "exact_match": "exact_match", "f1": "f1"}
"""Our names, and the harness's for the same."""


def export(results: Results, run: Path, folder: Path) -> list[Path]:
    """Write each system's files; returns its folders. Raises BenchmarkError.

    ``run`` is the folder of the run, whose samples are written by task.
    """
    samples = _samples(run)
    written = []
    for name, system in results.systems.items():
        place = folder / name
        try:
            place.mkdir(parents=True, exist_ok=True)
            record = {
                "results": {task: _metrics(task, s) for task, s in system.by_kind.items()},
                "n-samples": {
                    task: {"original": s.n, "effective": s.n} for task, s in system.by_kind.items()
                },
                "configs": {
                    task: {"task": task, "output_type": "generate_until", "num_fewshot": 0}
                    for task in system.by_kind
                },
                "versions": dict.fromkeys(system.by_kind, 0),
                "n-shot": dict.fromkeys(system.by_kind, 0),
                "higher_is_better": {
                    task: dict.fromkeys(_METRICS.values(), True) for task in system.by_kind
                },
                "config": {"model": name, **results.config["systems"][name]},
                "model_name": f"{results.environment['model']} {name}",
                "date": results.environment["date"],
            }
            text = json.dumps(record, indent=2, ensure_ascii=False)
            (place / "results.json").write_text(text + "\n", "utf-8")
            for task, lines in samples.get(name, {}).items():
                (place / f"samples_{_NOT_NAME.sub('_', task)}.jsonl").write_text(
                    "".join(lines), "utf-8"
                )
        except OSError as error:
            raise BenchmarkError(f"cannot write to {place}: {error.strerror}") from error
        written.append(place)
    return written


def _metrics(task: str, summary: Summary) -> dict[str, Any]:
    found: dict[str, Any] = {"alias": task}
    for ours, theirs in _METRICS.items():
        found[f"{theirs},none"] = getattr(summary, ours)
    share = summary.accuracy
    # The harness states the standard error of a mean, with n − 1 under the root.
    error = sqrt(share * (1 - share) / (summary.n - 1)) if summary.n > 1 else "N/A"
    return {**found, "acc_stderr,none": error}


def _samples(run: Path) -> dict[str, dict[str, list[str]]]:
    """Lines by system and task. Raises BenchmarkError."""
    found: dict[str, dict[str, list[str]]] = {}
    for number, line in enumerate(open_lines(run / SAMPLES), start=1):
        try:
            record = json.loads(line)
            tasks = found.setdefault(record["system"], {})
            lines = tasks.setdefault(record["kind"], [])
            lines.append(json.dumps(_sample(len(lines), record), ensure_ascii=False) + "\n")
        except (ValueError, KeyError, TypeError) as error:
            raise BenchmarkError(f"{SAMPLES}, line {number} is no sample: {error!r}") from error
    return found


def _sample(number: int, record: Mapping[str, Any]) -> dict[str, Any]:
    doc = {name: record[name] for name in ("id", "question", "answers", "old_answers", "as_of")}
    return {
        "doc_id": number,
        "doc": doc,
        "target": record["answers"],
        "arguments": [[record["question"], {"until": ["\n"]}]],
        "resps": [[record["output"]]],
        "filtered_resps": [record["output"]],
        "filter": "none",
        "metrics": list(_METRICS.values()),
        **{
            theirs: float(record[ours if ours != "accuracy" else "correct"])
            for ours, theirs in _METRICS.items()
        },
    }
