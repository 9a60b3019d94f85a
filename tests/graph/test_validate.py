"""What may be stored: bad values are refused with a pointer, good ones are normalised."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph import (
    Add,
    Command,
    Correct,
    End,
    Erase,
    InvalidFact,
    InvalidTime,
    MemoryStore,
    Relation,
    Retract,
    SetAliases,
    SetRelation,
    SQLiteStore,
)
from graph.validate import MAX_ID, MAX_JSON, MAX_TEXT, check, check_batch

CYCLE: list[Any] = []
CYCLE.append(CYCLE)
DEEP: list[Any] = []
for _ in range(5_000):
    DEEP = [DEEP]


def add(**changes: Any) -> Add:
    values: dict[str, Any] = {"subject": "a", "relation": "b", "object": "c", **changes}
    return Add(**values)


def pointer_of(command: Any) -> str:
    with pytest.raises(InvalidFact) as refused:
        check(command)
    assert refused.value.detail
    return refused.value.pointer


@pytest.mark.parametrize("field", ["subject", "relation", "object", "source", "external_id", "id"])
@pytest.mark.parametrize(
    "value",
    ["", "  \t ", "a\0b", "a\x07b", "line\nbreak", "a\x85b", "\ud800", 3, True, b"a", ["a"], 1.5],
)
def test_a_text_is_not_empty_and_has_no_control_characters(field: str, value: object) -> None:
    assert pointer_of(add(**{field: value})) == f"/{field}"


@pytest.mark.parametrize("field", ["subject", "relation", "object"])
def test_the_parts_of_a_fact_are_needed(field: str) -> None:
    assert pointer_of(add(**{field: None})) == f"/{field}"


@pytest.mark.parametrize(
    ("field", "limit"),
    [
        ("subject", MAX_TEXT),
        ("relation", MAX_TEXT),
        ("object", MAX_TEXT),
        ("source", MAX_TEXT),
        ("id", MAX_ID),
        ("external_id", MAX_ID),
    ],
)
def test_texts_have_a_longest_length(field: str, limit: int) -> None:
    check(add(**{field: "é" * limit}))
    assert pointer_of(add(**{field: "é" * (limit + 1)})) == f"/{field}"


def test_texts_are_stripped_and_composed_but_kept_inside() -> None:
    checked = check(add(subject="  Zoe\u0308  von  X ", source="\u00a0s "))
    assert isinstance(checked, Add)
    assert (checked.subject, checked.source) == ("Zoë  von  X", "s")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"valid_from": "yesterday"}, "/valid_from"),
        ({"valid_from": 2021}, "/valid_from"),
        ({"valid_to": "2021-02-30"}, "/valid_to"),
        ({"valid_to": ""}, "/valid_to"),
        ({"valid_from": "2021", "valid_to": "2021"}, "/valid_to"),
        ({"valid_from": "2021", "valid_to": "2020"}, "/valid_to"),
    ],
)
def test_dates_are_dates_in_order(changes: dict[str, object], pointer: str) -> None:
    with pytest.raises(InvalidTime) as refused:
        check(add(**changes))
    assert refused.value.pointer == pointer


def test_dates_are_stripped_and_kept_at_their_precision() -> None:
    checked = check(add(valid_from=" 2021-05 "))
    assert isinstance(checked, Add)
    assert checked.valid_from == "2021-05"


@pytest.mark.parametrize(
    "attributes",
    [
        [],
        "x",
        {"a": object()},
        {"a": float("nan")},
        {"a": {1, 2}},
        {3: "x"},
        {"a": "\ud800"},
        {"a": "x" * MAX_JSON},
        {"a": CYCLE},
        {"a": DEEP},
    ],
    ids=range(10),
)
def test_attributes_are_a_small_json_object(attributes: object) -> None:
    assert pointer_of(add(attributes=attributes)) == "/attributes"


@given(
    st.dictionaries(
        st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3).map(tuple),
            max_leaves=5,
        ),
        max_size=4,
    )
)
def test_attributes_come_out_as_json_reads_them(attributes: dict[str, object]) -> None:
    try:
        checked = check(add(attributes=attributes))
    except InvalidFact:
        with pytest.raises(UnicodeEncodeError):
            json.dumps(attributes, ensure_ascii=False).encode()
        return
    assert isinstance(checked, Add)
    assert checked.attributes == json.loads(json.dumps(attributes))


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ("Rudolf", "/aliases"),
        (None, "/aliases"),
        ([""], "/aliases/0"),
        (["R", 3], "/aliases/1"),
        (["x" * 1900 + str(n) for n in range(9)], "/aliases"),
    ],
)
def test_aliases_are_a_short_list_of_texts(value: object, pointer: str) -> None:
    assert pointer_of(add(aliases=value)) == pointer
    assert pointer_of(SetAliases("a", value)) == pointer  # type: ignore[arg-type]
    assert pointer_of(add(object_aliases=value)) == pointer.replace("aliases", "object_aliases")


@pytest.mark.parametrize(
    "template",
    [
        "",
        "no fields",
        "{subject}",
        "{object}",
        "{subject} {object} {relation}",
        "{subject} {object} {}",
        "{subject} {object",
        "{subject.__class__} {object}",
        "{subject!r} {object}",
        "{subject:>99} {object}",
        "{subject} {object} {0}",
        3,
    ],
)
def test_a_template_words_subject_and_object_and_nothing_else(template: Any) -> None:
    assert pointer_of(SetRelation(Relation("r", "one", template))) == "/relation/template"


def test_a_template_may_have_doubled_braces() -> None:
    relation = Relation("r", "one", "{object} leads {subject} {{so}}")
    assert check(SetRelation(relation)) == SetRelation(relation)


@pytest.mark.parametrize(
    ("command", "pointer"),
    [
        (SetRelation(Relation("", "one")), "/relation/name"),
        (SetRelation(Relation("r", "few")), "/relation/cardinality"),  # type: ignore[arg-type]
        (SetAliases("", ()), "/entity"),
        (End("", "2021"), "/fact_id"),
        (End("f", "soon"), "/at"),
        (End("f", None), "/at"),  # type: ignore[arg-type]
        (Retract("x" * 201), "/fact_id"),
        (Erase(None), "/fact_id"),  # type: ignore[arg-type]
        (Correct("f", {"valid_from": "soon"}), "/changes/valid_from"),
        (Correct("f", {"external_id": ""}), "/changes/external_id"),
        (Correct("f", {"relation": None}), "/changes/relation"),
        (Correct("f", {"status": "active"}), "/changes/status"),
        (Correct("f", None), "/changes"),  # type: ignore[arg-type]
        (add(on_conflict="ask"), "/on_conflict"),
        (add(statement={}), "/statement"),
        ("add", ""),
    ],
)
def test_other_commands_are_checked_too(command: Any, pointer: str) -> None:
    assert pointer_of(command) == pointer


@pytest.mark.parametrize("make", [MemoryStore, lambda: None], ids=["memory", "sqlite"])
def test_stores_check_a_batch_and_point_into_it(make: Any, tmp_path: Any) -> None:
    with make() or SQLiteStore(tmp_path / "facts.db") as store:
        batch: list[Command] = [add(), Retract("f1"), add(valid_from="soon")]
        with pytest.raises(InvalidTime) as refused:
            store.apply(batch)
        assert refused.value.pointer == "/2/valid_from"
        assert store.revision == 0


@given(st.text(max_size=20), st.text(max_size=20), st.none() | st.text(max_size=8))
def test_checking_what_was_checked_changes_nothing(
    subject: str, source: str, date: str | None
) -> None:
    try:
        checked = check_batch([add(subject=subject, source=source, valid_from=date)])
    except InvalidFact as error:
        assert error.pointer in ("/0/subject", "/0/source", "/0/valid_from")
    else:
        assert check_batch(checked) == checked


def test_what_was_checked_is_not_checked_again() -> None:
    batch = check_batch([Add(" a ", "b", "c")])
    assert batch == (Add("a", "b", "c"),)
    assert check_batch(batch) is batch
