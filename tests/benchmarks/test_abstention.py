"""The measure of abstaining: what is taken away, what is counted, and what the shares are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.abstention import measure, without_the_slots
from benchmarks.schema import Question
from dysk.retrieval.encoder import HashEncoder
from dysk.workspace import Workspace

COUNTRIES = ("Zembla", "Ruritania", "Borduria", "Syldavia")


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    path = tmp_path / "facts.jsonl"
    lines = [
        {"id": f"{country}-{number}", "subject": country, "relation": relation,
         "object": f"{number}", "valid_from": None, "valid_to": None}
        for country in COUNTRIES
        for number, relation in enumerate(("king", "king", "national bird"))
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def question(country: str) -> Question:
    return Question("q", f"Who is the king of {country}?", ("0",), facts=(f"{country}-0",))


def test_the_slot_goes_with_all_its_facts_and_nothing_else_does(facts: Path) -> None:
    left = [json.loads(line)["id"] for line in without_the_slots(facts, [question("Zembla")])]
    kept = [f"{country}-{number}" for country in COUNTRIES[1:] for number in range(3)]
    assert left == ["Zembla-2", *kept]


def test_what_is_gone_is_missed_and_what_is_there_is_answered(
    facts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "encoder", lambda *_: HashEncoder(256))
    report = measure(tmp_path, facts, [question("Zembla"), question("Borduria")], True)
    assert report == {
        "questions": 2,
        "abstained_with_facts": 0.0,
        "abstained_without": 1.0,
        "precision": 1.0,
        "recall": 1.0,
    }
