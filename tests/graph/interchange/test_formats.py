"""What the formats share: how files are recognised, unpacked, and limited."""

from __future__ import annotations

import bz2
import gzip
import io
from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph import Add, MemoryStore
from graph.interchange import (
    EXPORT_FORMATS,
    IMPORT_FORMATS,
    BadLine,
    ImportFormat,
    UnreadableFile,
    dump,
    load_commands,
    read,
    recognise,
    recognise_target,
    unpack,
)
from graph.interchange.lines import MAX_LINE
from tests.graph.interchange.documents import DOCUMENTS
from tests.graph.interchange.worlds import kingdom


def stream(data: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(data))


# Recognising.


@pytest.mark.parametrize(
    ("name", "first", "format"),
    [
        ("facts.jsonl", b"", "jsonl"),
        ("facts.NDJSON.gz", b"", "jsonl"),
        ("facts.csv.bz2", b"{", "csv"),
        ("facts.nt", b"", "ntriples"),
        ("facts.ttl.gz", b"", "turtle"),
        ("latest-all.json.bz2", b"", "wikidata"),
        ("-", b'{"subject": "a"}', "jsonl"),
        ("-", b"", "jsonl"),
        ("facts", b"[\n", "wikidata"),
        ("facts", b'{"type":"item","id":"Q1"}', "wikidata"),
        ("facts.txt", b"\xef\xbb\xbf@prefix : <http://a.org/> .", "turtle"),
        ("facts.txt", b"PREFIX : <http://a.org/>", "turtle"),
        ("facts.txt", b"<http://a.org/b> ", "ntriples"),
        ("facts.txt", b"_:b <http://a.org/b> ", "ntriples"),
    ],
)
def test_a_file_is_recognised_by_its_name_else_by_its_first_line(
    name: str, first: bytes, format: str
) -> None:
    assert recognise(name, first) == format


def test_a_target_is_recognised_by_its_name() -> None:
    names = ("a.jsonl", "a.csv", "a.nt.gz", "a.ttl", "a.graphml.bz2", "a.json", "-", "a")
    assert [recognise_target(name) for name in names] == [
        *EXPORT_FORMATS[:5],
        "jsonl",
        "jsonl",
        "jsonl",
    ]


@pytest.mark.parametrize("format", IMPORT_FORMATS)
def test_the_documents_of_each_format_have_facts_and_hardly_a_bad_line(
    format: ImportFormat,
) -> None:
    for document in DOCUMENTS[format]:
        items = [item for _, item in read(format, document.splitlines(keepends=True))]
        assert sum(isinstance(item, Add) for item in items) >= 1
        assert sum(isinstance(item, BadLine) for item in items) <= 1


@pytest.mark.parametrize("format", get_args(ImportFormat)[:4])
def test_what_is_written_is_read_back(format: ImportFormat) -> None:
    assert format != "wikidata"
    store = kingdom()
    lines = [f"{line}\n".encode() for line in dump(format, store.snapshot())]
    copy = MemoryStore()
    assert load_commands(copy, read(format, lines)).added == store.snapshot().count()


@pytest.mark.parametrize("format", IMPORT_FORMATS)
def test_an_empty_file_has_no_lines(format: ImportFormat) -> None:
    assert list(read(format, [])) == []
    assert list(read(format, [b"", b"\n", b"  \r\n"])) == []


# Unpacking.


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
@given(st.binary(max_size=200))
def test_lines_come_out_as_they_went_in(pack: Callable[[bytes], bytes], data: bytes) -> None:
    if pack is bytes and data[:3] in (b"BZh", b"\x1f\x8b"):
        return
    assert list(unpack(stream(pack(data)))) == io.BytesIO(data).readlines()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_packed_files_may_be_put_together(pack: Callable[[bytes], bytes]) -> None:
    assert list(unpack(stream(pack(b"a\n") + pack(b"b\n")))) == [b"a\n", b"b\n"]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
@given(st.integers(3, 60), st.integers(0, 7))
def test_a_damaged_archive_gives_lines_or_says_so(
    pack: Callable[[bytes], bytes], at: int, bit: int
) -> None:
    packed = bytearray(pack(b"a line\n" * 50))
    at %= len(packed)
    packed[at] ^= 1 << bit
    try:
        for line in unpack(stream(bytes(packed)), "facts.gz"):
            assert line
    except UnreadableFile as error:
        assert "facts.gz is not a whole" in str(error)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_an_archive_that_breaks_off_says_so(pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(UnreadableFile, match="not a whole"):
        list(unpack(stream(pack(b"a line\n" * 5_000)[:-9])))


# Long lines.


def test_a_line_without_an_end_is_cut_and_the_next_is_whole() -> None:
    lines = list(unpack(stream(b"a\n" + b"x" * (3 * MAX_LINE) + b"\n" + b"b\n")))
    assert [len(line) for line in lines] == [2, MAX_LINE + 1, 2]


@pytest.mark.parametrize("format", IMPORT_FORMATS)
def test_a_line_that_is_too_long_is_bad_in_every_format(format: ImportFormat) -> None:
    header = b"subject,relation,object\n" if format == "csv" else b""
    numbers = [n for n, item in read(format, [header, b"x" * (MAX_LINE + 1)])]
    assert numbers == [2]


def test_a_line_as_long_as_it_may_be_is_read() -> None:
    text = b'{"subject": "a", "relation": "b", "object": "c"}'
    [(_, item)] = read("jsonl", [text.ljust(MAX_LINE)])
    assert isinstance(item, Add)
