"""CSV in and out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph import Add, FactStore, MemoryStore, SetRelation, parse_date
from graph.interchange import BadLine, UnreadableFile, csv
from tests.graph.interchange.worlds import content, kingdom, names, random_stores


def read(text: str, **options: Any) -> list[Any]:
    return list(csv.read(text.encode().splitlines(keepends=True), **options))


def test_the_header_names_the_fields() -> None:
    text = "object,subject,relation,valid_from\nStarmer,UK,head,2024-07-05\n"
    assert read(text) == [(2, Add("UK", "head", "Starmer", "2024-07-05"))]


def test_columns_can_be_named_otherwise() -> None:
    text = "Land; Amt\n".replace(";", ",") + "UK,PM\n"
    columns = {"Land": "subject", "Amt": "object"}
    [(_, bad)] = read(text, columns=columns)
    assert bad == BadLine(2, "relation: a fact needs a relation")
    [(_, fact)] = read("Land,relation,Amt\nUK,has,PM\n", columns=columns)
    assert fact == Add("UK", "has", "PM")


def test_empty_cells_are_missing_values_and_empty_rows_are_skipped() -> None:
    text = "\nsubject,relation,object,valid_from,source,id\n\na,b,c,,,\n,,,,,\n"
    assert read(text) == [(4, Add("a", "b", "c"))]


def test_lists_and_attributes_are_json_in_their_cell() -> None:
    text = 'subject,relation,object,aliases,attributes\na,b,c,"[""A""]","{""n"": 1}"\n'
    assert read(text) == [(2, Add("a", "b", "c", aliases=("A",), attributes={"n": 1}))]


def test_quoted_cells_may_span_lines_and_rows_are_numbered_by_their_end() -> None:
    text = 'subject,relation,object\n"a\nb",r,o\nx,r,o\n'
    [(first, bad), (second, fact)] = read(text)
    assert (first, second) == (3, 4)
    assert bad == BadLine(3, "subject: the text has a control character, U+000A")
    assert fact == Add("x", "r", "o")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"a,b", "the row has 2 cells, the header 4"),
        (b"a,b,c,,", "the row has 5 cells, the header 4"),
        (b"a,b,c,[", "hold JSON"),
        (b"a,b,c," + b"[" * 100_000, "hold JSON"),
        (b"\xff,b,c,", "subject: the text has a lone surrogate"),
        (b"a,b\0,c,", "relation: the text has a control character"),
        (b'a,"b"x,c,', "not CSV"),
        (b"a,b,c," + b"x" * 200_000, "not CSV"),
    ],
)
def test_a_bad_row_says_what_is_wrong_and_the_next_is_read(row: bytes, reason: str) -> None:
    lines = [b"subject,relation,object,aliases\n", row + b"\n", b"x,r,o,\n"]
    (_, bad), (_, fact) = csv.read(lines)
    assert isinstance(bad, BadLine)
    assert reason in bad.reason
    assert fact == Add("x", "r", "o")


def test_an_open_quote_hides_no_row_but_its_own() -> None:
    rows = [b"subject,relation,object\n", b'a,"b,c\n', b"d,e,f\n", b'g,"h,i\n', b"j,k,l\n"]
    found = list(csv.read(rows))
    assert [number for number, item in found if isinstance(item, BadLine)] == [2, 4]
    assert [item.subject for _, item in found if isinstance(item, Add)] == ["d", "j"]


def test_a_quote_that_is_never_closed_hides_no_row() -> None:
    rows = [b"subject,relation,object\n", b'a,r,"o\n', *(b"x,r,o\n" for _ in range(30_000))]
    found = list(csv.read(rows))
    assert [number for number, item in found if isinstance(item, BadLine)] == [2]
    assert sum(isinstance(item, Add) for _, item in found) == 30_000


def test_a_row_that_goes_on_and_on_ends_at_a_megabyte() -> None:
    rows = [b"subject,relation,object\n", *(b'"' + b"x" * 50_000 + b'","\n' for _ in range(60))]
    found = [item for _, item in csv.read(rows)]
    assert len(found) == 60
    assert all(isinstance(item, BadLine) for item in found)


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(UnreadableFile, match="two columns are called 'subject'"):
        read("subject,subject,relation,object\na,b,c,d\n")
    with pytest.raises(UnreadableFile):
        read("Land,subject,relation,object\na,b,c,d\n", columns={"Land": "subject"})


def test_unknown_columns_are_bad_or_become_attributes() -> None:
    text = "subject,relation,object,property\na,b,c,P6\n"
    [(_, bad)] = read(text)
    assert bad == BadLine(2, "property: unknown field 'property'")
    [(_, fact)] = read(text, extra="attributes")
    assert fact == Add("a", "b", "c", attributes={"property": "P6"})


@given(st.lists(st.binary(max_size=30), max_size=4))
def test_any_rows_are_commands_or_bad_lines(rows: list[bytes]) -> None:
    for _, found in csv.read([b"subject,relation,object,aliases\n", *rows]):
        assert isinstance(found, BadLine | Add | SetRelation)


def reloaded(store: FactStore, **options: Any) -> FactStore:
    copy = MemoryStore()
    lines = [line.encode() + b"\n" for line in csv.dump(store.snapshot(), **options)]
    report = csv.load(copy, lines)
    assert report.bad == []
    return copy


def test_a_table_brings_back_facts_and_names_but_no_settings() -> None:
    store = kingdom()
    copy = reloaded(store)
    assert content(copy) == content(store)
    assert names(copy) == names(store)
    assert copy.snapshot().relation("king").cardinality == "many"


def test_a_table_as_of_a_time_has_what_held_then() -> None:
    assert set(content(reloaded(kingdom(), as_of=parse_date("1893-01")))) == {"r", "w"}


def test_an_undated_fact_that_another_undated_one_closed_comes_back_closed() -> None:
    store = MemoryStore()
    store.apply([Add("a", "r", "b", id="f"), Add("a", "r", "c", None, "2020", id="g")])
    store.apply([Add("a", "r", "d", None, "2010", id="h", on_conflict="supersede")])
    assert content(store)["f"][8:10] == ("superseded", "h")
    assert content(reloaded(store)) == content(store)


@settings(max_examples=40, deadline=None)
@given(random_stores())
def test_any_history_comes_back_from_its_table(store: FactStore) -> None:
    assert content(reloaded(store)) == content(store)
