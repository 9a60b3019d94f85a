"""JSON Lines in and out: nothing is lost, and no line brings the loading down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph import (
    Add,
    FactStore,
    MemoryStore,
    Relation,
    Retract,
    SetRelation,
    SQLiteStore,
    Statement,
    StoreUnavailable,
    parse_date,
)
from graph.interchange import BadLine, jsonl
from graph.interchange.loading import BAD_LINES_KEPT
from tests.graph.interchange.worlds import content, kingdom, names, random_stores

WORLD = Path(__file__).parents[3] / "examples" / "world.jsonl"


def line(**record: Any) -> bytes:
    return json.dumps(record).encode() + b"\n"


def fact(number: int, **more: Any) -> bytes:
    return line(subject=f"s{number}", relation="r", object=f"o{number}", **more)


def bad(text: bytes, **options: Any) -> str:
    [(number, read)] = jsonl.read([text], **options)
    assert number == 1
    assert isinstance(read, BadLine)
    return read.reason


# Reading.


def test_a_line_without_a_subject_declares_a_relation() -> None:
    lines = [line(relation="king", cardinality="one", template="{subject}: {object}")]
    assert list(jsonl.read(lines)) == [
        (1, SetRelation(Relation("king", "one", "{subject}: {object}")))
    ]
    assert list(jsonl.read([line(relation="king")])) == [(1, SetRelation(Relation("king")))]


def test_a_line_with_a_subject_is_a_fact() -> None:
    record = {
        "id": "w:1",
        "subject": "UK",
        "relation": "head of government",
        "object": "Keir Starmer",
        "valid_from": "2024-07-05",
        "valid_to": None,
        "source": "gov.uk",
        "external_id": "Q1",
        "attributes": {"page": 3},
        "aliases": ["United Kingdom"],
        "object_aliases": ["Starmer"],
        "on_conflict": "reject",
    }
    [(_, read)] = jsonl.read([line(**record)])
    assert read == Add(
        "UK",
        "head of government",
        "Keir Starmer",
        "2024-07-05",
        source="gov.uk",
        external_id="Q1",
        attributes={"page": 3},
        id="w:1",
        on_conflict="reject",
        aliases=("United Kingdom",),
        object_aliases=("Starmer",),
    )


def test_blank_lines_and_a_byte_order_mark_are_skipped_and_numbers_kept() -> None:
    lines = [b"\xef\xbb\xbf" + fact(1), b"\n", b"  \r\n", fact(2).strip()]
    assert [number for number, _ in jsonl.read(lines)] == [1, 4]
    assert all(isinstance(read, Add) for _, read in jsonl.read(lines))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b"[]", "JSON object"),
        (b"3", "JSON object"),
        (b"null", "JSON object"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b"[" * 100_000, "nested too deeply"),
        (b"{}", "needs a subject"),
        (line(subject="a", relation="b"), "needs a object"),
        (line(subject="a", relation="b", object=None), "needs a object"),
        (line(subject=3, relation="b", object="c"), "subject: a text is needed here, not a int"),
        (line(subject="a", relation="b", object=["c"]), "object: a text is needed"),
        (line(subject="a", relation="b", object="c\u0000"), "object: the text has a control"),
        (b'{"subject": "a", "relation": "b", "object": "\\ud800"}', "lone surrogate"),
        (fact(1, valid_from=2021), "valid_from: a date is a text"),
        (fact(1, valid_to="2021-13"), "valid_to: '2021-13': there is no month 13"),
        (fact(1, attributes=[1]), "attributes"),
        (fact(1, aliases="UK"), "aliases: aliases are a list"),
        (fact(1, extra=1, another=2), "another: unknown field 'another'"),
        (fact(1, status="retracted"), "status is 'retracted'"),
        (fact(1, status="nonsense"), "status is 'nonsense'"),
        (fact(1, statement=3), "a statement has"),
        (fact(1, statement={"ended": 1}), "statement.ended: ended is 1"),
        (fact(1, statement={"until": "2021"}), "a statement has"),
        (line(relation="king", cardinality="few"), "cardinality is 'few'"),
        (line(relation="king", object="c"), "unknown field 'object'"),
        (line(relation=None), "relation.name: a text is needed here, not null"),
        (line(relation="k", template="{x}"), "a template words"),
    ],
)
def test_a_bad_line_says_what_is_wrong(text: bytes, reason: str) -> None:
    assert reason in bad(text)


def test_unknown_fields_become_attributes_on_request() -> None:
    text = fact(1, property="P6", attributes={"page": 3})
    assert "unknown field 'property'" in bad(text)
    [(_, read)] = jsonl.read([text], extra="attributes")
    assert isinstance(read, Add)
    assert read.attributes == {"property": "P6", "page": 3}
    assert "unknown field" in bad(line(relation="k", colour="red"), extra="attributes")


def test_a_closed_fact_without_its_statement_is_ended_at_its_end() -> None:
    [(_, read)] = jsonl.read([fact(1, valid_to="2021", status="superseded", superseded_by="x")])
    assert isinstance(read, Add)
    assert (read.valid_to, read.statement) == ("2021", Statement("2021", ended=True))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_command_or_a_bad_line(text: bytes) -> None:
    for _, read in jsonl.read([text]):
        assert isinstance(read, BadLine | SetRelation | Add)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@given(
    st.fixed_dictionaries(
        {"subject": st.just("a") | json_values, "relation": st.just("b") | json_values},
        optional={
            "object": st.just("c") | json_values,
            "id": json_values,
            "valid_to": json_values,
            "attributes": json_values,
            "aliases": json_values,
            "status": json_values,
            "statement": json_values,
        },
    )
)
def test_any_record_is_a_command_or_a_bad_line(record: dict[str, object]) -> None:
    [(_, read)] = jsonl.read([json.dumps(record).encode()])
    assert isinstance(read, BadLine | Add)
    if isinstance(read, BadLine):
        assert read.reason


# Loading.


def test_good_lines_go_in_around_bad_ones() -> None:
    store = MemoryStore()
    heard: list[BadLine] = []
    done: list[int] = []
    lines = [
        fact(1, id="a"),
        b"nonsense\n",
        fact(2, id="a"),
        fact(3, id="c"),
        fact(4, valid_from="soon"),
        fact(5, id="c"),
        fact(3, id="c"),
        fact(6, id="f"),
    ]
    report = jsonl.load(store, lines, batch=5, on_bad=heard.append, progress=done.append)
    assert (report.added, report.unchanged, report.bad_total) == (3, 1, 4)
    assert [line.number for line in report.bad] == [2, 5, 3, 6]
    assert "id: id 'a' is taken" in report.bad[2].reason
    assert heard == report.bad
    assert done == [5, 8]
    assert set(content(store)) == {"a", "c", "f"}
    assert report.revision == store.revision


def test_a_batch_is_one_commit() -> None:
    store = MemoryStore()
    jsonl.load(store, (fact(number) for number in range(25)), batch=10)
    assert [len(commit.changes) for commit in store.changes()] == [10, 10, 5]


def test_a_report_holds_some_bad_lines_and_counts_all() -> None:
    total = BAD_LINES_KEPT + 5
    report = jsonl.load(MemoryStore(), [b"?"] * total)
    assert (len(report.bad), report.bad_total, report.added) == (BAD_LINES_KEPT, total, 0)
    assert report.bad[-1].number == BAD_LINES_KEPT


def test_a_batch_full_of_refused_lines_leaves_the_one_good_line() -> None:
    store = MemoryStore()
    store.apply([Add("x", "r", "y", id="taken")])
    lines = [fact(number, id="taken") for number in range(300)]
    report = jsonl.load(store, [*lines[:150], fact(999, id="good"), *lines[150:]])
    assert (report.added, report.bad_total) == (1, 300)
    assert [line.number for line in report.bad] == [*range(1, 151), *range(152, 302)]


def test_a_store_that_fails_ends_the_loading() -> None:
    store = MemoryStore()
    store.close()
    with pytest.raises(StoreUnavailable):
        jsonl.load(store, [fact(1)])


def test_a_line_that_would_be_rejected_is_a_bad_line() -> None:
    store = MemoryStore()
    report = jsonl.load(store, [fact(1), line(subject="s1", relation="r", object="x")])
    assert report.added == 2
    text = line(subject="s1", relation="r", object="z", on_conflict="reject")
    assert "in the way" not in jsonl.load(store, [text]).bad[0].reason
    assert "another 'r' at that time" in jsonl.load(store, [text]).bad[0].reason


def test_the_example_graph_loads_and_loads_again_unchanged(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "facts.db") as store, WORLD.open("rb") as lines:
        first = jsonl.load(store, lines)
        lines.seek(0)
        again = jsonl.load(store, lines)
    assert (first.bad, first.unchanged, again.bad) == ([], 0, [])
    assert first.added > 100
    assert (again.added, again.unchanged, again.revision) == (0, first.added, first.revision)


# Writing out.


def reloaded(lines: list[str]) -> FactStore:
    store = MemoryStore()
    report = jsonl.load(store, [text.encode() + b"\n" for text in lines])
    assert report.bad == []
    return store


def test_a_dump_brings_back_every_current_fact_with_its_status_and_names() -> None:
    store = kingdom()
    copy = reloaded(list(jsonl.dump(store.snapshot())))
    assert content(copy) == content(store)
    assert list(content(copy)) == list(content(store))
    assert names(copy) == names(store)
    assert copy.snapshot().relations() == store.snapshot().relations()


def test_a_dump_can_be_undone_like_the_original() -> None:
    store = kingdom()
    copy = reloaded(list(jsonl.dump(store.snapshot())))
    for each in (store, copy):
        each.apply([Retract("m"), Retract("won")])
    assert content(copy) == content(store)
    assert content(copy)["r"][4] == "1899"


@settings(max_examples=40, deadline=None)
@given(random_stores())
def test_any_history_comes_back_from_its_dump(store: FactStore) -> None:
    copy = reloaded(list(jsonl.dump(store.snapshot())))
    assert content(copy) == content(store)
    assert names(copy) == names(store)
    assert reloaded_twice_is_the_same(store)


def reloaded_twice_is_the_same(store: FactStore) -> bool:
    lines = [text.encode() for text in jsonl.dump(store.snapshot())]
    report = jsonl.load(store, lines)
    return report.added == 0 and report.bad == []


def test_a_dump_as_of_a_time_freezes_what_held_then() -> None:
    store = kingdom()
    lines = list(jsonl.dump(store.snapshot(), parse_date("1893-01")))
    assert [json.loads(text).get("id") for text in lines] == [None, "r", "w"]
    copy = reloaded(lines)
    rudolf = copy.snapshot().get("r")
    assert (rudolf.valid_to, rudolf.status) == ("1893-05", "ended")


@settings(max_examples=40, deadline=None)
@given(random_stores(), st.sampled_from(("1893", "1901", "2026-11-24")))
def test_what_held_then_holds_the_same_in_the_copy(store: FactStore, year: str) -> None:
    period = parse_date(year)
    copy = reloaded(list(jsonl.dump(store.snapshot(), period)))

    def held(each: FactStore) -> list[tuple[object, ...]]:
        facts = each.snapshot().facts(as_of=period)
        return [(fact.id, fact.object, fact.valid_from, fact.valid_to) for fact in facts]

    assert held(copy) == held(store)


def test_a_plain_fact_is_written_plainly() -> None:
    store = MemoryStore()
    store.apply([Add("a", "b", "é", "2021", id="f")])
    [text] = jsonl.dump(store.snapshot())
    record = json.loads(text)
    del record["recorded_at"]
    assert record == {
        "id": "f",
        "subject": "a",
        "relation": "b",
        "object": "é",
        "valid_from": "2021",
        "status": "active",
        "revision": 1,
    }
    assert "é" in text
    assert "\n" not in text
