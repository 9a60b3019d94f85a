from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.results import read_results
from benchmarks.scale import report
from benchmarks.scale.study import Job, measure
from benchmarks.schema import BenchmarkError, Question
from dysk.language_model import LanguageModel
from tests.benchmarks.small import use_small_models

MADE_ON = {"cpu": "a processor", "threads": 1, "date": "2026-11-24T00:00:00Z", "model": "a model"}


@pytest.fixture
def job(tmp_path: Path, small_model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> Job:
    use_small_models(monkeypatch, small_model)
    facts = tmp_path / "facts.jsonl"
    records = [
        {"id": f"f{n}", "subject": f"Country {n}", "relation": "king", "object": f"Rudolf {n}"}
        for n in range(30)
    ]
    facts.write_text("".join(json.dumps(record) + "\n" for record in records))
    questions = tuple(
        Question(f"q{n}", f"Who is king of Country {n}?", (f"Rudolf {n}",), facts=(f"f{n}",))
        for n in (25, 28)
    )
    return Job(60, facts, questions, (), ("attention",), tmp_path, tmp_path / "out", None, None)


def test_each_size_is_loaded_asked_updated_and_reported(job: Job) -> None:
    steps = [measure(job), measure(replace(job, size=200))]
    small, large = steps
    assert (small.facts, large.facts) == (60, 200)
    assert 0 < small.slots < large.slots
    assert small.coarse_hit == large.coarse_hit == 1
    assert small.systems["attention"].overall.n == 2
    assert small.systems["attention"].overall.errors == 0
    assert {"time", "coarse", "prefill", "total"} <= small.stages_ms.keys()
    assert 0 < small.search_cpu_ms.p50 < small.ask_cpu_ms.p95
    assert 0 < small.visible_ms.p50 <= small.visible_ms.p95
    assert small.disk_mb < large.disk_mb

    report.write(steps, {"systems": {"attention": {}}}, MADE_ON, job.out)
    record = json.loads((job.out / "scale.json").read_text())
    assert [step["facts"] for step in record["result"]["steps"]] == [60, 200]
    assert record["result"]["growth"]["disk, MB"]["exponent"] > 0
    for size in ("60", "200"):
        assert read_results(job.out / size).systems["attention"].overall.n == 2
        harness = json.loads((job.out / size / "harness/attention/results.json").read_text())
        assert harness["n-samples"]["unspecified"]["effective"] == 2
    page = (job.out / "scale.md").read_text()
    assert page.count("| 200 |") == 3
    assert "disk, MB" in page
    panels = report.panels(steps)
    assert all(len(values) == 2 for panel in panels for values in panel.lines.values())


def test_a_graph_that_was_loaded_is_asked_again_and_no_other_is_taken_for_it(job: Job) -> None:
    first = measure(job)
    again = measure(job)
    assert (again.slots, again.coarse_hit) == (first.slots + 20, 1)
    assert (first.load_s or 0) > 0
    assert again.load_s is None
    (job.folder / "61").symlink_to(job.folder / "60")
    with pytest.raises(BenchmarkError, match="another load"):
        measure(replace(job, size=61))
