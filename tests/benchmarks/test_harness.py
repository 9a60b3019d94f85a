from __future__ import annotations

import json
from math import sqrt
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.harness import export
from benchmarks.results import Results, summarise_system, write_results
from benchmarks.schema import BenchmarkError
from tests.benchmarks.samples import sample, wrong

SAMPLES = [sample(), wrong(id="q2"), wrong(id="q3"), sample(id="q4", kind="interval/past")]
RESULTS = Results(
    {"attention": summarise_system(SAMPLES)},
    {"systems": {"attention": {"name": "attention", "top_k": 4}}},
    {"model": "some/model", "date": "2026-11-24T05:40:26Z"},
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "samples.jsonl").write_text("".join(each.to_line() for each in SAMPLES), "utf-8")
    write_results(RESULTS, folder)
    return folder


def test_a_system_is_a_model_and_a_kind_a_task(run: Path, tmp_path: Path) -> None:
    [place] = export(RESULTS, run, tmp_path / "out")
    record = json.loads((place / "results.json").read_text("utf-8"))
    assert record["results"]["updated"] == {
        "alias": "updated",
        "acc,none": pytest.approx(1 / 3),
        "exact_match,none": pytest.approx(1 / 3),
        "f1,none": pytest.approx(1 / 3),
        "acc_stderr,none": pytest.approx(sqrt(1 / 3 * 2 / 3 / 2)),
    }
    assert record["results"]["interval/past"]["acc_stderr,none"] == "N/A"
    assert record["n-samples"]["updated"] == {"original": 3, "effective": 3}
    assert set(record["configs"]) == set(record["versions"]) == {"updated", "interval/past"}
    assert record["config"]["model"] == "attention"


def test_samples_are_kept_by_task_with_target_response_and_verdict(
    run: Path, tmp_path: Path
) -> None:
    [place] = export(RESULTS, run, tmp_path / "out")
    lines = (place / "samples_updated.jsonl").read_text("utf-8").splitlines()
    first, second, _ = map(json.loads, lines)
    assert (first["doc_id"], second["doc_id"]) == (0, 1)
    assert (first["target"], first["filtered_resps"], first["acc"]) == (["Ada"], ["Ada"], 1)
    assert (second["resps"], second["acc"]) == ([["Bob"]], 0)
    assert (place / "samples_interval_past.jsonl").exists()


def test_the_command_exports_a_run(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["harness", str(run), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert (out / "attention" / "results.json").exists()


def test_a_run_without_samples_or_with_broken_ones_is_refused(run: Path, tmp_path: Path) -> None:
    (run / "samples.jsonl").write_text('{"system": "attention"}\n', "utf-8")
    with pytest.raises(BenchmarkError, match="line 1 is no sample"):
        export(RESULTS, run, tmp_path / "out")
    (run / "samples.jsonl").unlink()
    with pytest.raises(BenchmarkError, match="cannot read"):
        export(RESULTS, run, tmp_path / "out")
