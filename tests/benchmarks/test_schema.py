from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.schema import (
    BenchmarkError,
    Question,
    content_sha256,
    open_lines,
    parse_question,
    read_questions,
)

GOOD = {"id": "q1", "question": "Who?", "answers": ["Ada"]}


def line(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode() + b"\n"


def test_every_field_of_a_question_is_read() -> None:
    full = line(
        as_of="2026-06",
        facts=["f1", "f2"],
        hops=2,
        kind="updated",
        old_answers=["Bob"],
        group="seat",
    )
    assert parse_question(full) == Question(
        "q1", "Who?", ("Ada",), "2026-06", ("f1", "f2"), 2, "updated", ("Bob",)
    )


def test_optional_fields_may_be_null_or_missing() -> None:
    bare = parse_question(line())
    assert bare == parse_question(
        line(as_of=None, facts=None, hops=None, kind=None, old_answers=None)
    )
    assert bare == Question("q1", "Who?", ("Ada",))


def test_a_question_without_answers_is_of_kind_unanswerable() -> None:
    assert parse_question(line(answers=[])).kind == "unanswerable"


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"{", "not JSON"),
        (b'{"id": "\xff"}', "not UTF-8"),
        (b"[1]", "a question is a JSON object"),
        (b"null", "a question is a JSON object"),
        (b'{"id": "q", "question": "Who?"}', "'answers' is missing"),
        (line(id=7), "'id' must be a text"),
        (line(id=" "), "'id' must be a text"),
        (line(question=None), "'question' must be a text"),
        (line(answers="Ada"), "'answers' must be a list of texts"),
        (line(answers=["Ada", ""]), "'answers' must be a list of texts"),
        (line(answers=[1970]), "'answers' must be a list of texts"),
        (line(facts=[1]), "'facts' must be a list of texts"),
        (line(old_answers={}), "'old_answers' must be a list of texts"),
        (line(as_of="June 2026"), "'as_of': 'June 2026' is not an ISO 8601 date"),
        (line(as_of=2026), "'as_of'"),
        (line(hops=0), "'hops' must be a whole number"),
        (line(hops=True), "'hops' must be a whole number"),
        (line(kind=3), "'kind' must be a text"),
    ],
)
def test_a_bad_line_is_named_by_file_number_and_reason(
    tmp_path: Path, bad: bytes, reason: str
) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_bytes(line() + b"\n" + bad)
    with pytest.raises(BenchmarkError) as caught:
        read_questions(path)
    assert str(caught.value).startswith("questions.jsonl, line 3: ")
    assert reason in str(caught.value)


@given(st.binary())
def test_any_bytes_are_a_question_or_a_value_error(noise: bytes) -> None:
    try:
        assert parse_question(noise).id
    except ValueError as error:
        assert str(error)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_any_value_of_any_field_is_read_or_refused(value: object) -> None:
    for field in ("id", "question", "answers", "as_of", "facts", "hops", "kind", "old_answers"):
        try:
            assert isinstance(parse_question(line(**{field: value})), Question)
        except ValueError as error:
            assert field in str(error)


def test_an_id_used_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(line() + line())
    with pytest.raises(BenchmarkError, match="line 2: id 'q1' is used twice"):
        read_questions(path)


def test_a_file_without_questions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(b"\n\n")
    with pytest.raises(BenchmarkError, match="holds no question"):
        read_questions(path)


def test_a_gzipped_file_reads_and_hashes_like_the_plain_one(tmp_path: Path) -> None:
    plain, zipped = tmp_path / "q.jsonl", tmp_path / "q.jsonl.gz"
    plain.write_bytes(line() + line(id="q2"))
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_questions(zipped) == read_questions(plain)
    assert content_sha256(zipped) == content_sha256(plain)
    assert content_sha256(plain) != content_sha256(_copy_with(plain, line(id="q3")))


def _copy_with(path: Path, more: bytes) -> Path:
    longer = path.with_name("longer.jsonl")
    longer.write_bytes(path.read_bytes() + more)
    return longer


ZIPPED = gzip.compress(bytes(range(256)) * 8)


@pytest.mark.parametrize(
    "content",
    [b"plain text", ZIPPED[:-12], ZIPPED[:20] + b"\xff" * 40 + ZIPPED[60:], b""],
    ids=["not zipped", "cut off", "scrambled", "empty"],
)
def test_a_damaged_gzip_file_is_reported(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "q.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(BenchmarkError, match=r"q\.jsonl\.gz"):
        read_questions(path)


def test_a_missing_file_and_a_folder_are_reported(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(BenchmarkError, match="cannot read"):
            list(open_lines(path))
