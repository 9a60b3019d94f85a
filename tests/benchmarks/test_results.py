from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.results import (
    Percentiles,
    Results,
    bootstrap_interval,
    percentiles,
    read_results,
    summarise,
    summarise_system,
    write_results,
)
from benchmarks.schema import BenchmarkError, Sample
from tests.benchmarks.samples import failed, sample, wrong


def test_a_summary_averages_its_samples() -> None:
    summary = summarise(
        [
            sample(ttft_ms=100.0, usage={"prompt_tokens": 10, "knowledge_tokens": 0}),
            sample(ttft_ms=200.0, usage={"prompt_tokens": 20, "knowledge_tokens": 60}, f1=0.5),
            wrong(ttft_ms=300.0, usage={"prompt_tokens": 30, "knowledge_tokens": 0}),
            wrong(ttft_ms=400.0, usage={"prompt_tokens": 40, "knowledge_tokens": 0}, stale=False),
        ]
    )
    assert (summary.n, summary.accuracy, summary.exact_match, summary.f1) == (4, 0.5, 0.5, 0.375)
    assert (summary.stale_rate, summary.stale_n) == (0.25, 4)
    assert (summary.prompt_tokens, summary.knowledge_tokens) == (25, 15)
    assert summary.ttft_ms == Percentiles(250.0, 385.0)
    assert summary.errors == 0


def test_the_speed_of_speech_is_the_median_over_those_who_spoke() -> None:
    def spoke(tokens: int, decode: float) -> Sample:
        return sample(
            usage={"prompt_tokens": 1, "completion_tokens": tokens, "knowledge_tokens": 0},
            timings_ms={"total": 900.0, "decode": decode},
        )

    spoken = [spoke(10, 500.0), spoke(10, 250.0), spoke(30, 500.0)]
    assert summarise([*spoken, spoke(0, 100.0), failed()]).tokens_per_s == 40.0
    assert summarise([spoke(5, 0.0)]).tokens_per_s is None


def test_rates_are_over_the_samples_that_can_have_them() -> None:
    summary = summarise(
        [
            wrong(hit_at_1=False),
            sample(stale=None, hit_at_1=None, hit_at_k=None),
            sample(stale=None, hit_at_1=None, hit_at_k=None),
        ]
    )
    assert (summary.stale_rate, summary.stale_n) == (1.0, 1)
    assert (summary.hit_at_1, summary.hit_at_k) == (0.0, 1.0)


def test_what_no_sample_has_is_none() -> None:
    summary = summarise([failed(hit_at_1=None, hit_at_k=None, stale=None)])
    assert (summary.stale_rate, summary.hit_at_1, summary.hit_at_k) == (None, None, None)
    assert (summary.ttft_ms, summary.latency_ms, summary.prompt_tokens) == (None, None, None)


def test_a_failed_ask_is_wrong_and_leaves_the_times_alone() -> None:
    summary = summarise([sample(latency_ms=300.0), failed()])
    assert (summary.accuracy, summary.errors) == (0.5, 1)
    assert summary.latency_ms == Percentiles(300.0, 300.0)
    assert summary.prompt_tokens == 20


def test_no_sample_is_no_summary() -> None:
    with pytest.raises(ValueError, match="no sample"):
        summarise([])


def test_samples_are_grouped_by_kind_and_by_stated_hops() -> None:
    result = summarise_system(
        [
            sample(kind="updated", hops=2),
            wrong(kind="updated", hops=10),
            wrong(kind="interval", hops=None),
        ]
    )
    assert {kind: part.n for kind, part in result.by_kind.items()} == {"interval": 1, "updated": 2}
    assert list(result.by_hops) == ["2", "10"]
    assert result.by_hops["2"].accuracy == 1
    assert result.overall.n == 3


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share_and_is_the_same_each_time(counts: tuple[int, int]) -> None:
    right, n = counts
    low, high = bootstrap_interval(right, n)
    assert 0 <= low <= right / n <= high <= 1
    assert (low, high) == bootstrap_interval(right, n)


def test_the_interval_agrees_with_the_normal_approximation() -> None:
    low, high = bootstrap_interval(600, 1000)
    assert low == pytest.approx(0.6 - 1.96 * (0.6 * 0.4 / 1000) ** 0.5, abs=0.002)
    assert high == pytest.approx(0.6 + 1.96 * (0.6 * 0.4 / 1000) ** 0.5, abs=0.002)


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_percentiles_lie_within_the_values_in_order(values: list[float]) -> None:
    found = percentiles(values)
    assert found is not None
    assert min(values) - 1e-3 <= found.p50 <= found.p95 <= max(values) + 1e-3


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = Results(
        systems={
            "closed_book": summarise_system([failed()]),
            "attention": summarise_system([sample(), wrong(kind="interval")]),
        },
        config={"seed": 0, "facts": {"name": "f.jsonl"}},
        environment={"cpu": "Zürich 9000"},
    )
    write_results(results, tmp_path)
    assert read_results(tmp_path) == results
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_the_interface_of_results_json_is_kept(tmp_path: Path) -> None:
    write_results(Results({"attention": summarise_system([sample()])}, {}, {}), tmp_path)
    record = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert set(record) == {"systems", "config", "environment"}
    system = record["systems"]["attention"]
    assert set(system) == {"overall", "by_kind", "by_hops"}
    for summary in (system["overall"], system["by_kind"]["updated"], system["by_hops"]["1"]):
        assert {
            "n",
            "accuracy",
            "accuracy_ci95",
            "exact_match",
            "f1",
            "stale_rate",
            "abstain_rate",
            "hit_at_1",
            "hit_at_k",
            "prompt_tokens",
        } <= set(summary)
        assert set(summary["ttft_ms"]) == set(summary["latency_ms"]) == {"p50", "p95"}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"systems": {}}',
        '{"systems": 1, "config": {}, "environment": {}}',
        '{"systems": {"a": {"overall": {}}}, "config": {}, "environment": {}}',
    ],
)
def test_a_file_that_is_not_results_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "results.json").write_text(content, "utf-8")
    with pytest.raises(BenchmarkError, match="is not the results of `bench run`"):
        read_results(tmp_path)


def test_a_folder_without_results_is_refused_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="give the --out folder of a finished"):
        read_results(tmp_path)
