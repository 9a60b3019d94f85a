from __future__ import annotations

from typing import Any

from benchmarks.report import markdown, markdown_of_runs, table
from benchmarks.results import Results, summarise_system
from benchmarks.schema import Sample
from tests.benchmarks.samples import failed, sample, wrong

CONFIG: dict[str, Any] = {
    "facts": {"name": "facts.jsonl", "added": 90, "unchanged": 10},
    "questions": {"name": "questions.jsonl", "total": 40, "asked": 4},
    "seed": 7,
}
ENVIRONMENT: dict[str, Any] = {
    "model": "some/model",
    "cpu": "A processor",
    "threads": 1,
    "versions": {"dysk": "0.1.0", "torch": "2.13.0"},
    "date": "2026-11-24T05:40:26Z",
}

GOLDEN = """\
| system | n | accuracy [95 %] | exact | F1 | stale | abstained | hit@1 | hit@k | \
first token ms p50 / p95 | answer ms p50 / p95 | prompt tokens | tokens/s |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| closed_book | 4 (1 failed) | 0.000 [0.000, 0.000] | 0.000 | 0.000 | 0.667 | 0.250 | – | – | \
40 / 40 | 300 / 300 | 20 | 15 |
| attention | 4 | 0.750 [0.250, 1.000] | 0.750 | 0.750 | 0.333 | 0.000 | 1.000 | 1.000 | \
100 / 100 | 300 / 300 | 20 | 15 |

| accuracy by kind | interval (n=1) | updated, efficacy (n=3) |
| --- | ---: | ---: |
| closed_book | 0.000 | 0.000 |
| attention | 1.000 | 0.667 |

| accuracy by hops | 1 (n=2) | 2 (n=2) |
| --- | ---: | ---: |
| closed_book | 0.000 | 0.000 |
| attention | 0.500 | 1.000 |

4 of 40 questions of questions.jsonl, seed 7, over 100 facts of facts.jsonl. some/model on \
A processor, 1 threads; dysk 0.1.0, torch 2.13.0; 2026-11-24T05:40:26Z.
"""


def results(**systems: list[Sample]) -> Results:
    return Results(
        {name: summarise_system(of_system) for name, of_system in systems.items()},
        CONFIG,
        ENVIRONMENT,
    )


def test_the_report_reads_as_agreed() -> None:
    blind: dict[str, Any] = {"hit_at_1": None, "hit_at_k": None}
    found = markdown(
        results(
            closed_book=[
                wrong(ttft_ms=40.0, **blind),
                wrong(ttft_ms=40.0, abstained=True, hops=2, stale=None, **blind),
                failed(kind="interval", hops=2, **blind),
                wrong(ttft_ms=40.0, **blind),
            ],
            attention=[
                sample(),
                wrong(),
                sample(hops=2),
                sample(kind="interval", hops=2, stale=None),
            ],
        )
    )
    assert found == GOLDEN


def test_one_kind_and_one_number_of_hops_need_no_table_of_their_own() -> None:
    found = markdown(results(attention=[sample(), wrong()]))
    assert "accuracy by" not in found
    assert found.count("| system |") == 1


def test_a_pipe_in_a_cell_does_not_break_the_table() -> None:
    assert table(("a", "b"), [("x|y", "1")]).splitlines()[-1] == "| x\\|y | 1 |"


def test_several_runs_stand_side_by_side_and_are_not_averaged() -> None:
    found = markdown_of_runs(
        ["first", "second"],
        [results(attention=[wrong()]), results(attention=[sample()], rag1=[sample()])],
    )
    assert found.splitlines()[0] == "| accuracy [95 %] | first (n=4) | second (n=4) |"
    assert "| attention | 0.000 [0.000, 0.000] | 1.000 [1.000, 1.000] |" in found
    assert "| rag1 | – | 1.000 [1.000, 1.000] |" in found
    assert found.index("## first") < found.index("## second")


def test_what_a_run_took_is_told_where_it_was_measured() -> None:
    room = {"disk_bytes_per_fact": 812.4, "peak_rss_bytes": 3 * 2**29}
    run = results(attention=[sample()])
    run.config["room"] = room
    try:
        assert "812 bytes a fact on disk; 1536 MiB of memory at most" in markdown(run)
    finally:
        del run.config["room"]
    assert "bytes a fact" not in markdown(run)
