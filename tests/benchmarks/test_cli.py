from __future__ import annotations

import gzip
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmarks.cli import app
from benchmarks.schema import BenchmarkError
from benchmarks.systems import CANDIDATES, TOP_K
from dysk.cli.settings import Output, Settings
from dysk.client import Dysk
from graph.sqlite import SQLiteStore
from tests.benchmarks.fake import FakeDysk

FACTS = [
    {"id": "f1", "subject": "Norland", "relation": "leader", "object": "Bob", "valid_to": "2020"},
    {"id": "f2", "subject": "Norland", "relation": "leader", "object": "Ada", "valid_from": "2020"},
]
QUESTIONS = [
    {
        "id": f"q{number}",
        "question": f"Who leads Norland, {number}?",
        "answers": ["Ada"],
        "facts": ["f2"],
        "hops": 1,
        "kind": "updated",
        "old_answers": ["Bob"],
    }
    for number in range(5)
]


class FakeWorkspace:
    """A data folder whose graphs answer by look-up; remembers whether it was warmed and closed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.graphs: dict[str, SQLiteStore] = {}
        self.warmed = False

    def graph(self, name: str, *, create: bool = False) -> FakeDysk:
        """The graph of that name."""
        assert create
        self.path.mkdir(parents=True, exist_ok=True)
        self.graphs[name] = SQLiteStore(self.path / f"{name}.db")
        return FakeDysk(self.graphs[name])

    def warm(self) -> None:
        """There is nothing to load."""
        self.warmed = True

    def __enter__(self) -> FakeWorkspace:
        return self

    def __exit__(self, *error: object) -> None:
        for store in self.graphs.values():
            store.close()


@pytest.fixture
def workspaces(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakeWorkspace]]:
    made: list[FakeWorkspace] = []

    def workspace(self: Settings, data: Path | None = None) -> FakeWorkspace:
        made.append(FakeWorkspace(data or self.data))
        return made[-1]

    monkeypatch.setattr(Settings, "workspace", workspace)
    yield made


def bench(tmp_path: Path, *arguments: str, form: Output = Output.text) -> Result:
    settings = Settings(
        data=tmp_path / "unused",
        graph="default",
        output=form,
        model=None,
        encoder=None,
        origins={},
    )
    return CliRunner().invoke(app, list(arguments), obj=settings)


def written(path: Path, records: list[dict[str, Any]]) -> str:
    content = "".join(json.dumps(record) + "\n" for record in records).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return str(path)


def test_a_run_leaves_results_and_samples_and_prints_the_table(
    tmp_path: Path, workspaces: list[FakeWorkspace]
) -> None:
    out = tmp_path / "deep" / "out"
    result = bench(
        tmp_path,
        "run",
        "--facts",
        written(tmp_path / "facts.jsonl.gz", FACTS),
        "--questions",
        written(tmp_path / "questions.jsonl", QUESTIONS),
        "--limit",
        "3",
        "--seed",
        "5",
        "--workers",
        "1",
        "--out",
        str(out),
    )
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == ["results.json", "samples.jsonl"]
    record = json.loads((out / "results.json").read_text("utf-8"))
    assert list(record["systems"]) == ["closed_book", "rag1", "rag8", "attention", "hybrid"]
    assert record["systems"]["attention"]["overall"]["accuracy"] == 1
    assert record["systems"]["closed_book"]["overall"]["stale_rate"] == 1
    config = record["config"]
    assert (config["limit"], config["seed"]) == (3, 5)
    assert (config["facts"]["name"], config["facts"]["added"]) == ("facts.jsonl.gz", 2)
    assert (config["questions"]["total"], config["questions"]["asked"]) == (5, 3)
    assert config["systems"]["rag8"]["top_k"] == 8
    assert config["room"]["disk_bytes_per_fact"] > 0
    assert str(tmp_path) not in (out / "results.json").read_text("utf-8")
    assert str(tmp_path) not in (out / "samples.jsonl").read_text("utf-8")
    assert len((out / "samples.jsonl").read_text("utf-8").splitlines()) == 15
    assert "| attention | 3 | 1.000 [1.000, 1.000] |" in result.stdout
    assert [workspace.warmed for workspace in workspaces] == [True]
    assert not workspaces[0].path.exists()
    again = bench(tmp_path, "report", str(out))
    assert again.stdout == result.stdout
    machine = bench(tmp_path, "report", str(out), form=Output.json)
    assert json.loads(machine.stdout) == record


def test_a_kept_data_folder_is_used_again(tmp_path: Path, workspaces: list[FakeWorkspace]) -> None:
    arguments = [
        "run",
        "--facts",
        written(tmp_path / "facts.jsonl", FACTS),
        "--questions",
        written(tmp_path / "questions.jsonl", QUESTIONS),
        "--systems",
        "attention",
        "--workers",
        "1",
        "--out",
        str(tmp_path / "out"),
        "--data",
        str(tmp_path / "kept"),
    ]
    counts = []
    for _ in range(2):
        assert bench(tmp_path, *arguments).exit_code == 0
        record = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
        counts.append((record["config"]["facts"]["added"], record["config"]["facts"]["unchanged"]))
    assert counts == [(2, 0), (0, 2)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"--facts": "none.jsonl"}, "cannot read none.jsonl"),
        ({"--questions": "none.jsonl"}, "cannot read none.jsonl"),
        ({"--systems": "telepathy"}, "there is no system 'telepathy'"),
        ({"--limit": "0"}, "give a number from 1 up"),
        ({"--out": "taken/out"}, "cannot write to taken/out"),
    ],
)
def test_unusable_input_is_refused_before_a_model_loads(
    tmp_path: Path,
    workspaces: list[FakeWorkspace],
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    options = {
        "--facts": written(tmp_path / "facts.jsonl", FACTS),
        "--questions": written(tmp_path / "questions.jsonl", QUESTIONS),
        "--out": "out",
        **changes,
    }
    result = bench(tmp_path, "run", *(word for option in options.items() for word in option))
    assert isinstance(result.exception, BenchmarkError)
    assert sentence in str(result.exception)
    assert not workspaces


def test_a_later_run_that_is_worse_fails_and_an_equal_one_does_not(
    tmp_path: Path, workspaces: list[FakeWorkspace]
) -> None:
    questions = written(tmp_path / "questions.jsonl", QUESTIONS)
    good, bad = str(tmp_path / "good"), str(tmp_path / "bad")
    for out, facts in ((good, FACTS), (bad, FACTS[:1])):
        run = ["run", "--facts", written(tmp_path / "facts.jsonl", facts)]
        run += ["--questions", questions, "--workers", "1", "--systems", "attention", "--out", out]
        assert bench(tmp_path, *run).exit_code == 0
    condition = ("--fail-if", "accuracy<-0.02")
    assert bench(tmp_path, "compare", good, good, *condition).exit_code == 0
    assert bench(tmp_path, "compare", good, bad).exit_code == 0
    worse = bench(tmp_path, "compare", good, bad, *condition)
    assert worse.exit_code == 1
    assert "FAILED accuracy<-0.02: attention 1 → 0" in worse.stdout
    machine = bench(tmp_path, "compare", good, bad, *condition, form=Output.json)
    assert machine.exit_code == 1
    assert json.loads(machine.stdout)["failures"] == ["accuracy<-0.02: attention 1 → 0"]
    both = bench(tmp_path, "report", good, bad)
    assert both.stdout.startswith("| accuracy [95 %] | good (n=5) | bad (n=5) |")
    records = json.loads(bench(tmp_path, "report", good, bad, form=Output.json).stdout)
    assert [each["systems"]["attention"]["overall"]["accuracy"] for each in records] == [1, 0]


def test_a_report_of_nothing_is_refused(tmp_path: Path) -> None:
    result = bench(tmp_path, "report", str(tmp_path))
    assert isinstance(result.exception, BenchmarkError)


def test_the_first_token_is_timed_over_given_facts(
    tmp_path: Path, workspaces: list[FakeWorkspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.speed.cli._far_reaching", lambda graph, workspace: graph)
    out = tmp_path / "ttft.json"
    result = bench(
        tmp_path,
        "speed",
        "ttft",
        "--facts",
        written(tmp_path / "facts.jsonl", FACTS),
        "--questions",
        "2",
        "--rounds",
        "2",
        "--out",
        str(out),
    )
    assert result.exit_code == 0, result.output
    record = json.loads(out.read_text("utf-8"))
    assert set(record) == {"result", "environment"}
    assert record["result"]["modes"]["attention"]["ttft_ms"]["median"] == 12
    assert record["result"]["attention_over_closed_book"]["median"] == 1.2
    assert "attention / closed book: 1.20" in result.stdout


def test_a_result_that_cannot_be_written_is_printed_and_reported(
    tmp_path: Path, workspaces: list[FakeWorkspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.speed.cli._far_reaching", lambda graph, workspace: graph)
    facts = written(tmp_path / "facts.jsonl", FACTS)
    result = bench(
        tmp_path, "speed", "ttft", "--facts", facts, "--out", str(tmp_path), form=Output.json
    )
    assert isinstance(result.exception, BenchmarkError)
    assert str(result.exception).startswith(f"cannot write {tmp_path}")
    assert json.loads(result.stdout)["result"]["questions"] == 2


def test_attention_and_hybrid_run_with_the_defaults_of_ask() -> None:
    parameters = inspect.signature(Dysk.ask).parameters
    assert parameters["candidates"].default == CANDIDATES
    assert parameters["top_k"].default == TOP_K
