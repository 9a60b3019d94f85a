"""Each reader over a small sample in its format, and over what is not its format."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from benchmarks.cli import app
from benchmarks.formats.convert import Format, convert
from benchmarks.formats.templama import runs
from benchmarks.formats.timeqa import interval_of
from benchmarks.load import load_facts
from benchmarks.schema import BenchmarkError, Question, read_questions
from graph.memory import MemoryStore
from tests.benchmarks.fake import FakeDysk

MQUAKE = [
    {
        "case_id": 1,
        "orig": {
            "new_triples_labeled": [
                ["Norland", "head of state", "Ada"],
                ["Ada", "spouse", "Bob"],
            ]
        },
        "questions": ["Who is the spouse of Norland's head?", "Whom did Norland's head marry?"],
        "answer": "Eve",
        "answer_alias": ["E."],
        "new_answer": "Bob",
        "new_answer_alias": ["Robert"],
        "single_hops": [
            {"question": "Who heads Norland?", "answer": "Old Tom", "answer_alias": []},
            {"question": "Who is Old Tom married to?", "answer": "Eve", "answer_alias": []},
        ],
        "new_single_hops": [
            {"question": "Who heads Norland?", "answer": "Ada", "answer_alias": ["Ada I"]},
            {"question": "Who is Ada married to?", "answer": "Bob", "answer_alias": []},
        ],
    }
]
TIMEQA = [
    {
        "index": "/wiki/Ada_M%C3%BCller#P108",
        "type": "P108",
        "link": "/wiki/Ada_M%C3%BCller",
        "questions": [
            ["Who employed Ada from Aug 1995 to 2002?", [{"answer": "Norland Foundry"}]],
            ["Where did Ada work in 2005?", [{"answer": ""}]],
            ["Where did Ada work after the war?", [{"answer": "Estmark"}]],
        ],
        "paras": ["…"],
    }
]
TEMPLAMA = [
    {
        "query": query,
        "answer": [{"name": name, "wikidata_id": "Q1"}],
        "date": str(year),
        "id": f"Q2_{relation}_{year}",
        "relation": relation,
    }
    for query, relation, name, years in (
        ("Ada plays for _X_.", "P54", "Norland FC", (2010, 2011, 2013)),
        ("Ada plays for _X_.", "P54", "Estmark FC", (2012,)),
        ("_X_ is the head coach of Norland FC.", "P286", "Bob", (2010,)),
    )
    for year in years
]
KNOWEDIT = [
    {
        "subject": "Ada",
        "prompt": "Which choir did Ada conduct?",
        "target_new": "Norland Choir",
        "ground_truth": ["Estmark Choir"],
        "rephrase_prompt": "Ada was the conductor of which choir?",
        "portability": {
            "Reasoning": [
                {"prompt": "Where does Ada's choir sing?", "ground_truth": [["Norland", "N."]]},
                {"prompt": "Where is nothing known?", "ground_truth": []},
            ]
        },
        "locality": {
            "Relation_Specificity": [{"prompt": "Where was Ada born?", "ground_truth": ["Ilo"]}]
        },
    },
    {
        "subject": "Bob",
        "src": "Who taught Bob?",
        "alt": "Eve",
        "rephrase": "By whom was Bob taught?",
        "loc": "nq question: who sang it",
        "loc_ans": "Tom",
    },
]
POPQA = (
    "id\tsubj\tprop\tobj\ts_aliases\to_aliases\tquestion\tpossible_answers\n"
    '1\tAda\toccupation\tbaker\t["A."]\t["bread maker"]\tWhat is Ada\'s occupation?\t'
    '["baker", "bread maker"]\n'
)
SAMPLES: dict[Format, str] = {
    Format.MQUAKE: json.dumps(MQUAKE),
    Format.TIMEQA: json.dumps(TIMEQA),
    Format.TEMPLAMA: "".join(json.dumps(line) + "\n" for line in TEMPLAMA),
    Format.KNOWEDIT: json.dumps(KNOWEDIT),
    Format.POPQA: POPQA,
}


def converted(
    tmp_path: Path, format: Format, content: str | None = None
) -> tuple[list[dict[str, Any]], list[Question]]:
    path, out = tmp_path / "file", tmp_path / "out"
    path.write_text(SAMPLES[format] if content is None else content, "utf-8")
    convert(format, path, out)
    facts = [json.loads(line) for line in (out / "facts.jsonl").read_text("utf-8").splitlines()]
    return facts, read_questions(out / "questions.jsonl")


def triples(facts: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (f["subject"], f["relation"], f["object"], f.get("valid_from"), f.get("valid_to"))
        for f in facts
        if "subject" in f
    ]


@pytest.mark.parametrize("format", Format)
def test_what_is_converted_loads_whole_and_every_gold_fact_is_there(
    tmp_path: Path, format: Format
) -> None:
    facts, questions = converted(tmp_path, format)
    with MemoryStore() as store:
        report = load_facts(FakeDysk(store), tmp_path / "out" / "facts.jsonl")
        assert report.skipped == 0
        with store.snapshot() as snapshot:
            stored = {fact.id: fact for fact in snapshot.facts()}
            assert len(stored) == len(triples(facts))
            for question in questions:
                for fact_id in question.facts:
                    name = stored[fact_id].object
                    assert question.hops != 1 or {name, *snapshot.aliases(name)} & set(
                        question.answers
                    )


def test_mquake_gives_chains_and_tells_edited_hops_from_others(tmp_path: Path) -> None:
    facts, questions = converted(tmp_path, Format.MQUAKE)
    assert [t[:3] for t in triples(facts)] == [
        ("Norland", "head of state", "Ada"),
        ("Ada", "spouse", "Bob"),
    ]
    chain, reworded, edited, kept = questions
    assert (chain.kind, chain.hops, chain.answers) == ("portability", 2, ("Bob", "Robert"))
    assert chain.facts == reworded.facts == ("mquake:f1", "mquake:f2")
    assert chain.old_answers == ("Eve", "E.")
    assert (edited.kind, edited.answers, edited.old_answers) == (
        "efficacy",
        ("Ada", "Ada I"),
        ("Old Tom",),
    )
    assert (kept.kind, kept.facts, kept.old_answers) == ("locality", ("mquake:f2",), ())


def test_a_single_hop_of_many_cases_is_asked_once(tmp_path: Path) -> None:
    _, questions = converted(tmp_path, Format.MQUAKE, json.dumps(MQUAKE * 2))
    assert [question.hops for question in questions].count(1) == 2


def test_timeqa_takes_the_interval_from_the_question(tmp_path: Path) -> None:
    facts, questions = converted(tmp_path, Format.TIMEQA)
    assert triples(facts) == [("Ada Müller", "employer", "Norland Foundry", "1995-08", "2002")]
    answered, unknown = questions
    assert (answered.kind, answered.as_of, answered.facts) == (
        "interval",
        "1995-08",
        ("timeqa:f1",),
    )
    assert (unknown.kind, unknown.answers, unknown.as_of) == ("unanswerable", (), "2005")


@pytest.mark.parametrize(
    ("question", "interval"),
    [
        ("Who ruled from 1990 to 1995?", ("1990", "1995")),
        ("Who ruled between May 1990 and June 1990?", ("1990-05", "1990-06")),
        ("Who ruled from December 1990 to December 1990?", ("1990-12", "1991-01")),
        ("Who ruled in 1999?", ("1999", "2000")),
        ("Who ruled in Sept. 1999?", ("1999-09", "1999-10")),
        ("Who ruled after 1999?", None),
        ("Who ruled the 1990 club?", None),
    ],
)
def test_an_interval_is_read_half_open_or_not_at_all(
    question: str, interval: tuple[str, str] | None
) -> None:
    assert interval_of(question) == interval


def test_templama_joins_years_and_asks_in_each(tmp_path: Path) -> None:
    facts, questions = converted(tmp_path, Format.TEMPLAMA)
    team = "member of sports team"
    assert triples(facts) == [
        ("Ada", team, "Norland FC", "2010", "2012"),
        ("Ada", team, "Norland FC", "2013", "2014"),
        ("Ada", team, "Estmark FC", "2012", "2013"),
        ("Norland FC", "head coach", "Bob", "2010", "2011"),
    ]
    assert [(q.as_of, q.answers, q.facts) for q in questions[:3]] == [
        ("2010", ("Norland FC",), ("templama:f1",)),
        ("2011", ("Norland FC",), ("templama:f1",)),
        ("2013", ("Norland FC",), ("templama:f2",)),
    ]
    assert questions[-1].question == "Who is the head coach of Norland FC?"


@given(st.sets(st.integers(1990, 2020)))
def test_runs_hold_each_year_once_and_are_as_long_as_can_be(years: set[int]) -> None:
    found = runs(years)
    assert [year for first, last in found for year in range(first, last + 1)] == sorted(years)
    assert all(here[1] + 1 < there[0] for here, there in pairwise(found))


def test_a_cloze_of_another_form_is_refused(tmp_path: Path) -> None:
    line = json.dumps({**TEMPLAMA[0], "query": "Ada sings for _X_."})
    with pytest.raises(BenchmarkError, match=r"no cloze of TempLAMA's for P54"):
        converted(tmp_path, Format.TEMPLAMA, line)


def test_knowedit_kinds_are_the_metrics_of_easyedit(tmp_path: Path) -> None:
    facts, questions = converted(tmp_path, Format.KNOWEDIT)
    assert facts[0] == {
        "relation": "Which choir did … conduct?",
        "template": "Which choir did {subject} conduct? {object}",
    }
    assert [(q.kind, q.answers) for q in questions] == [
        ("efficacy", ("Norland Choir",)),
        ("generalisation", ("Norland Choir",)),
        ("portability", ("Norland", "N.")),
        ("locality", ("Ilo",)),
        ("efficacy", ("Eve",)),
        ("generalisation", ("Eve",)),
        ("locality", ("Tom",)),
    ]
    assert questions[0].old_answers == ("Estmark Choir",)
    assert questions[-1].question == "who sang it?"


def test_popqa_keeps_aliases_and_all_answers(tmp_path: Path) -> None:
    [fact], [question] = converted(tmp_path, Format.POPQA)
    assert (fact["aliases"], fact["object_aliases"]) == (["A."], ["bread maker"])
    assert (question.kind, question.answers) == ("unchanged", ("baker", "bread maker"))


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize(
    "content", ["", "{", "[]", "[1]", '[{"a": 1}]', '{"a": 1}\n', "a\tb\n1\t2\n"]
)
def test_what_is_of_another_format_is_refused_by_name(
    tmp_path: Path, format: Format, content: str
) -> None:
    with pytest.raises(BenchmarkError):
        converted(tmp_path, format, content)


def test_a_bad_list_in_popqa_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="line 2: "):
        converted(tmp_path, Format.POPQA, POPQA.replace('["baker", "bread maker"]', "baker"))


def test_the_command_writes_both_files_and_says_how_much(tmp_path: Path) -> None:
    path = tmp_path / "popqa.tsv"
    path.write_text(POPQA, "utf-8")
    result = CliRunner().invoke(app, ["convert", "popqa", str(path), "--out", str(tmp_path / "o")])
    assert result.exit_code == 0, result.output
    assert "1 facts and 1 questions are in" in result.stderr
    assert (tmp_path / "o" / "questions.jsonl").exists()
