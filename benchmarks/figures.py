"""The figures in README, made from ``benchmarks/results``: none is typed by hand.

They stand between two marks. ``dysk bench figures --write`` puts them there anew, and a test
(tests/benchmarks/test_figures.py) fails where they are not what the results say.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.report import table
from benchmarks.results import Results, SystemResult, parse_results
from benchmarks.schema import BenchmarkError

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "README.md"
START, END = "<!-- figures:start -->\n", "<!-- figures:end -->"
_BETWEEN = re.compile(f"(?<={re.escape(START)}).*?(?={re.escape(END)})", re.DOTALL)
_LABELS = {"rag1": "rag1, one fact in the prompt", "rag8": "rag8, eight facts in the prompt"}
_NUMBERS = {1: "one process", 2: "two processes", 4: "four processes"}


def figures(folder: Path = RESULTS) -> str:
    """What README says was measured, as Markdown. Raises BenchmarkError."""
    answers = parse_results(_read(folder / "congress.json"), "congress.json")
    first_token = _read(folder / "ttft.json")
    return f"{_of_answers(answers)}\n\n{_of_first_token(first_token)}\n"


def placed(page: str, text: str) -> str:
    """The page with this text between its marks. Raises BenchmarkError where it has none."""
    if not _BETWEEN.search(page):
        raise BenchmarkError(f"the page lacks the marks {START.strip()} and {END}")
    return _BETWEEN.sub(lambda _: text, page)


def _of_answers(results: Results) -> str:
    config, environment = results.config, results.environment
    facts, questions = config["facts"], config["questions"]
    some = next(iter(results.systems.values()))
    hops = {number: summary.n for number, summary in some.by_hops.items()}
    processes = _NUMBERS.get(config["workers"], f"{config['workers']} processes")
    head = (
        f"{questions['asked']} questions on seats of the US Congress over all "
        f"{facts['added'] + facts['unchanged']:,} facts of that set, {hops['1']} of one hop and "
        f"{hops['2']} of two; {environment['cores']} cores, no GPU, {processes},\n"
        f"{environment['date'][:10]} (`dysk bench run --facts … --questions … "
        f"--limit {config['limit']} --seed {config['seed']}`; "
        "[results](benchmarks/results/congress.json)):"
    )
    columns = (
        "system",
        "accuracy, one hop",
        "two hops",
        "stale",
        "first token, ms p50 / p95",
        "answer, ms p50 / p95",
    )
    rows = [_row(name, system) for name, system in results.systems.items()]
    return f"{head}\n\n{table(columns, rows)}"


def _row(name: str, system: SystemResult) -> list[str]:
    first, whole = system.overall.ttft_ms, system.overall.latency_ms
    return [
        _LABELS.get(name, name),
        _share(system.by_hops["1"].accuracy),
        _share(system.by_hops["2"].accuracy),
        _share(system.overall.stale_rate or 0.0),
        *("–" if time is None else f"{time.p50:.0f} / {time.p95:.0f}" for time in (first, whole)),
    ]


def _of_first_token(record: Any) -> str:
    result = record["result"]
    closed, rag = (result[f"attention_over_{name}"] for name in ("closed_book", "rag"))
    count = result["candidates"]
    return (
        f"Time to first token with {count} candidate facts whose blocks are warm, one process: "
        f"{closed['median']:.2f} times that of the bare question [p20 {closed['p20']:.2f}, "
        f"p80 {closed['p80']:.2f}], and\n{rag['median']:.3f} times that of RAG with the same "
        f"{count} facts [{rag['p20']:.3f}, {rag['p80']:.3f}] "
        f"(`dysk bench speed ttft --candidates {count}`; "
        "[results](benchmarks/results/ttft.json))."
    )


def _share(value: float) -> str:
    """Three decimals without a leading zero, and 0 as it is."""
    return f"{value:.3f}".removeprefix("0") if value else "0"


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BenchmarkError(f"cannot read {path.name}: {error}") from error
