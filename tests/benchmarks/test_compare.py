from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.compare import (
    compare,
    markdown,
    metric_of,
    paired_interval,
    parse_condition,
    read_verdicts,
)
from benchmarks.results import Results, summarise_system
from benchmarks.schema import BenchmarkError, Sample
from tests.benchmarks.samples import sample, wrong

ASKED = {"sha256": "q", "asked": 4, "total": 4}


def run_of(asked: dict[str, Any] = ASKED, seed: int = 0, **systems: list[Sample]) -> Results:
    return Results(
        {name: summarise_system(of_system) for name, of_system in systems.items()},
        {"questions": asked, "seed": seed},
        {},
    )


BEFORE = run_of(attention=[sample(), sample(), sample(), wrong()])
AFTER = run_of(attention=[sample(), sample(), wrong(), wrong()])


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        ("accuracy<-0.02", True),
        ("accuracy < -0.3", False),
        ("accuracy<-25%", True),
        ("accuracy<-40%", False),
        ("stale_rate>0.1", True),
        ("attention:stale_rate>+0.3", False),
        ("ttft_ms.p50>+15%", False),
        ("ttft_ms.p95>-1", True),
    ],
)
def test_a_condition_is_of_the_change_from_the_first_run_to_the_second(
    text: str, fails: bool
) -> None:
    found = compare(BEFORE, AFTER, [parse_condition(text)])
    assert bool(found.failures) == fails


def test_a_failure_names_the_condition_the_system_and_both_figures() -> None:
    found = compare(BEFORE, AFTER, [parse_condition("accuracy<-0.02")])
    assert found.failures == ("accuracy<-0.02: attention 0.75 → 0.5",)
    assert "FAILED accuracy<-0.02" in markdown(found)
    assert "| attention | accuracy | 0.750 | 0.500 | -0.250 |" in markdown(found)


def test_a_figure_that_one_run_lacks_fails_its_condition() -> None:
    blind = run_of(attention=[sample(hit_at_1=None)] * 4)
    [failure] = compare(BEFORE, blind, [parse_condition("hit_at_1<-0.5")]).failures
    assert failure.endswith("1 → nothing")


def test_a_figure_that_no_run_has_is_refused() -> None:
    blind = run_of(attention=[sample(hit_at_1=None)] * 4)
    with pytest.raises(BenchmarkError, match="no system of these runs has that metric"):
        compare(blind, blind, [parse_condition("hit_at_1<-0.5")])


@pytest.mark.parametrize("text", ["accuracy", "accuracy=1", "accuracy<", "<1", "accuracy<-2x"])
def test_what_is_no_condition_is_refused_with_examples(text: str) -> None:
    with pytest.raises(BenchmarkError, match=r"is no condition; write one as 'accuracy<-0\.02'"):
        parse_condition(text)


@pytest.mark.parametrize("metric", ["speed", "accuracy.p50", "ttft_ms", "accuracy_ci95"])
def test_an_unknown_metric_is_refused_with_the_choices(metric: str) -> None:
    with pytest.raises(BenchmarkError, match="choose among accuracy, "):
        metric_of(BEFORE.systems["attention"].overall, metric)


def test_a_share_of_nothing_is_refused() -> None:
    nothing = run_of(attention=[wrong()] * 4)
    with pytest.raises(BenchmarkError, match="give a bound without %"):
        compare(nothing, BEFORE, [parse_condition("accuracy>1%")])


def test_a_condition_on_a_system_of_one_run_only_is_refused() -> None:
    more = run_of(attention=[sample()] * 4, rag1=[sample()] * 4)
    with pytest.raises(BenchmarkError, match="not in both runs; both have attention"):
        compare(BEFORE, more, [parse_condition("rag1:accuracy<0")])
    found = compare(BEFORE, more)
    assert (found.only_before, found.only_after) == ((), ("rag1",))
    assert "Only in the second run: rag1." in markdown(found)


def test_runs_without_a_shared_system_are_refused() -> None:
    with pytest.raises(BenchmarkError, match="share no system"):
        compare(BEFORE, run_of(rag1=[sample()]))


@pytest.mark.parametrize(
    ("asked", "seed"), [({**ASKED, "sha256": "other"}, 0), ({**ASKED, "total": 9}, 0)]
)
def test_runs_of_other_questions_are_not_compared(asked: dict[str, Any], seed: int) -> None:
    with pytest.raises(BenchmarkError, match="asked different questions"):
        compare(BEFORE, run_of(asked, seed, attention=[sample()] * 4))


def test_the_seed_counts_only_where_questions_were_drawn() -> None:
    compare(BEFORE, run_of(seed=5, attention=[sample()] * 4))
    drawn = {**ASKED, "total": 9}
    with pytest.raises(BenchmarkError, match="--seed"):
        compare(run_of(drawn, 1, attention=[sample()]), run_of(drawn, 2, attention=[sample()]))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_a_paired_interval_holds_the_change_and_is_a_point_where_nothing_changed(
    pairs: list[tuple[bool, bool]],
) -> None:
    before, after = [old for old, _ in pairs], [new for _, new in pairs]
    low, high = paired_interval(before, after)
    change = (sum(after) - sum(before)) / len(pairs)
    assert low <= change <= high
    if before == after:
        assert low == high == 0


def test_samples_give_the_change_of_accuracy_its_interval(tmp_path: Path) -> None:
    for name, of_run in (("a", [sample(), wrong()]), ("b", [sample(), sample()])):
        (tmp_path / name).mkdir()
        lines = [one.to_line() for one in _numbered(of_run)]
        (tmp_path / name / "samples.jsonl").write_text("".join(lines), "utf-8")
    old, new = read_verdicts(tmp_path / "a"), read_verdicts(tmp_path / "b")
    assert old is not None
    assert new is not None
    found = compare(BEFORE, AFTER, verdicts=(old, new))
    [change] = [each for each in found.changes if each.metric == "accuracy"]
    assert change.ci95 == paired_interval([True, False], [True, True])
    assert read_verdicts(tmp_path) is None


def test_a_broken_sample_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "samples.jsonl").write_text(sample().to_line() + json.dumps({"id": 1}), "utf-8")
    with pytest.raises(BenchmarkError, match="line 2 is no sample"):
        read_verdicts(tmp_path)


def _numbered(samples: list[Sample]) -> list[Sample]:
    return [sample(id=f"q{number}", correct=each.correct) for number, each in enumerate(samples)]
