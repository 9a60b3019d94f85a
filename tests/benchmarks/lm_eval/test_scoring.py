from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.lm_eval.scoring import asked, judged, wanted
from dysk.engine import UNKNOWN

TASK = Path(__file__).parents[3] / "benchmarks" / "lm_eval" / "dysk_updates.yaml"
DOC: dict[str, Any] = {
    "id": "q1",
    "question": "Who runs Intel?",
    "answers": ["Lip-Bu Tan"],
    "old_answers": ["Pat Gelsinger"],
    "as_of": "2026-06-01",
}


def test_the_time_of_a_question_is_in_its_words() -> None:
    assert asked(DOC) == "Who runs Intel as of 2026-06-01?"
    assert asked({**DOC, "as_of": None}) == "Who runs Intel?"


@pytest.mark.parametrize(
    ("text", "acc", "stale"),
    [("It is Lip-Bu Tan.", 1, 0), ("Pat Gelsinger.", 0, 1), ("Nobody.", 0, 0), (UNKNOWN, 0, 0)],
)
def test_an_output_is_judged_as_a_run_judges_it(text: str, acc: float, stale: float) -> None:
    found = judged(DOC, [f" {text}\n"])
    assert (found["acc"], found["stale"]) == (acc, stale)


def test_where_nothing_is_known_only_saying_so_is_right() -> None:
    nobody = {**DOC, "answers": [], "old_answers": None}
    assert wanted(nobody) == UNKNOWN
    assert judged(nobody, [UNKNOWN])["acc"] == 1
    assert judged(nobody, ["Ada."])["acc"] == 0


def test_every_score_has_its_place_in_the_task() -> None:
    text = TASK.read_text("utf-8")
    assert [name for name in judged(DOC, [""]) if f"- metric: {name}\n" not in text] == []


def test_the_harness_changes_no_version_that_dysk_is_tested_with() -> None:
    folder = TASK.parents[2] / "requirements"
    harness, ours = (
        dict(line.lower().split("==") for line in path.read_text().splitlines() if "==" in line)
        for path in (folder / "harness.txt", folder / "constraints.txt")
    )
    assert harness["lm_eval"]
    shared = harness.keys() & ours.keys()
    assert {name for name in shared if harness[name] != ours[name]} == set()
