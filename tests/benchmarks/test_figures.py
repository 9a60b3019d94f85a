"""Figures on the pages are those of the results beside the code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks import figures as module
from benchmarks.cli import app
from benchmarks.figures import END, PAGE, RESULTS, START, figures, placed
from benchmarks.schema import BenchmarkError
from benchmarks.speed.op_report import excerpt

DOCS = Path(__file__).parents[2] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def result(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text("utf-8"))["result"]


def test_readme_says_what_the_results_say() -> None:
    readme = PAGE.read_text("utf-8")
    assert placed(readme, figures()) == readme, "run `dysk bench figures --write`"


def test_another_result_is_another_page(tmp_path: Path) -> None:
    for name in ("congress.json", "ttft.json"):
        (tmp_path / name).write_bytes((RESULTS / name).read_bytes())
    record = json.loads((tmp_path / "congress.json").read_text("utf-8"))
    record["systems"]["attention"]["by_hops"]["1"]["accuracy"] = 0.123
    (tmp_path / "congress.json").write_text(json.dumps(record), "utf-8")
    assert "| attention | .123 |" in figures(tmp_path)
    assert figures(tmp_path) != figures()


def test_what_is_missing_or_has_no_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"cannot read congress\.json"):
        figures(tmp_path)
    with pytest.raises(BenchmarkError, match="lacks the marks"):
        placed("no marks here", "text")


def test_the_command_writes_between_the_marks_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "README.md"
    copy.write_text(f"before\n{START}old\n{END}after\n", "utf-8")
    monkeypatch.setattr(module, "PAGE", copy)
    printed = CliRunner().invoke(app, ["figures"])
    assert printed.output == figures()
    assert "old" in copy.read_text("utf-8")
    assert CliRunner().invoke(app, ["figures", "--write"]).exit_code == 0
    assert copy.read_text("utf-8") == f"before\n{START}{figures()}{END}after\n"


def test_the_page_on_the_store_says_what_its_results_say() -> None:
    found, text = result("store"), page("store.md")
    rows = {
        "import of a file, durable": f"{found['import_per_s']:,.0f} facts/s",
        "`apply`, 1,000 facts a batch": f"{found['batches_per_s']:,.0f} facts/s",
        "`apply`, 8 threads of one fact each, one sync for several": (
            f"{found['threads_per_s']:,.0f} commits/s"
        ),
        "`apply`, one fact": times(found["alone_ms"], 2, 2),
        "the same while a reader lists all facts": times(found["beside_reader_ms"], 2, 2),
        "facts of a subject and relation at a date": times(found["lookup_ms"], 3, 2),
        "neighbours of an entity": times(found["neighbours_ms"], 2, 2),
        "a page of the feed, 1,000 commits of one fact": times(found["feed_singles_ms"], 1, 1),
        "a page of the feed, one commit of 1,000 facts": times(found["feed_batch_ms"], 1, 1),
        "growth of resident memory": f"{found['growth_mb']:.0f} MB",
    }
    assert [what for what, value in rows.items() if f"\n| {what} | {value} |" not in text] == []


@pytest.mark.skipif(
    not (RESULTS / "retrieval.json").exists(), reason="no results of retrieval are published yet"
)
def test_the_page_on_retrieval_says_what_its_results_say() -> None:
    text = page("retrieval.md")
    steps = result("retrieval")["steps"]
    assert len(steps) > 1
    for step in steps:
        cells = [
            f"{step['facts']:,}",
            f"{step['slots']:,}",
            *(times(step[stage], 1, 1) for stage in ("encode", "names", "facts_ms", "coarse")),
            times(step["replace"], 2, 2),
            *(f"{step[hit]:.3f}" for hit in ("hit", "exact_hit")),
        ]
        assert f"\n| {bare(' | '.join(cells))} |" in text
        sizes = [f"{step['facts']:,}", f"{step['index_bytes']:,.0f}", f"{step['file_bytes']:,.0f}"]
        assert f"\n| {' | '.join(sizes)} |" in text


def times(record: dict[str, float], low: int, high: int) -> str:
    """Median and 99th percentile, to so many decimals."""
    return f"{record['p50']:.{low}f} / {record['p99']:.{high}f}"


def bare(number: str) -> str:
    """Without the zero before the point, as that page writes them."""
    return re.sub(r"\b0\.", ".", number)


def test_the_page_on_the_operator_says_what_its_results_say() -> None:
    text = page("op.md")
    assert excerpt(result("op")) in text
    assert (
        f"A call with nothing to read takes {result('op')['overhead_us']['median']:.1f} µs" in text
    )
    for name, tokens in (("question", "32 tokens"), ("step", "a token")):
        one = result("step")[name]["reading_over_bare"]
        shown = f"{one['median']:.2f} [{one['p20']:.2f}, {one['p80']:.2f}]"
        assert f"| {name}, {tokens} | {shown} |" in text


def test_the_page_on_benchmarks_says_what_the_rivals_answered() -> None:
    text = page("benchmarks.md")
    systems = json.loads((RESULTS / "world.json").read_text("utf-8"))["systems"]
    for name, system in systems.items():
        right = [
            str(round(kind["accuracy"] * kind["n"]))
            for kind in map(
                system["by_kind"].get, ("updated", "unchanged", "interval", "unanswerable")
            )
        ]
        assert f"| {name} | {' | '.join(right)} |" in text
