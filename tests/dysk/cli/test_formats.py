"""Importing and exporting every format, packed or not, and trying a file before it is written."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest

from tests.dysk.cli.calls import ROOT, add, call, read, run, succeed
from tests.dysk.cli.test_files import without_transaction_time

DOCUMENTS = ROOT / "tests" / "graph" / "interchange" / "data"
WORLD = ROOT / "examples" / "world.jsonl"

GOOD = [
    '{"subject": "Kazakhstan", "relation": "capital", "object": "Almaty", "valid_from": "1991"}',
    '{"subject": "Kazakhstan", "relation": "capital", "object": "Astana", "valid_from": "1997"}',
]


def write(path: Path, lines: list[str]) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


# Formats.


@pytest.mark.parametrize("format", ["jsonl", "ntriples", "turtle"])
def test_the_example_graph_goes_out_and_comes_back_without_loss(
    tmp_path: Path, format: str
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    succeed(here, "import", str(WORLD))
    exported = succeed(here, "export", "--format", format)
    report = read(there, "import", "-", "--format", format, "--strict", stdin=exported.encode())
    assert report["bad"] == []
    again, first = succeed(there, "export"), succeed(here, "export")
    assert by_id(again) == by_id(first)


def by_id(exported: str) -> dict[str, dict[str, object]]:
    """The facts, less where among them the names of entities are told."""
    records = without_transaction_time(exported)
    for record in records:
        record.pop("aliases", None)
        record.pop("object_aliases", None)
    return {str(record["id"]): record for record in records if "id" in record}


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_a_wikidata_dump_is_recognised_packed_or_not(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    dump = (DOCUMENTS / "wikidata.json").read_bytes()
    report = read(tmp_path, "import", "-", stdin=pack(dump))
    assert (report["added"], report["skipped"], report["bad"]) == (16, 2, [])
    facts = read(tmp_path, "timeline", "UK")["facts"]
    assert "Theresa May" in {fact["object"] for fact in facts}


def test_statements_that_mean_no_fact_are_counted(tmp_path: Path) -> None:
    text = succeed(tmp_path, "import", str(DOCUMENTS / "wikidata.json"))
    assert text.startswith("16 added, 0 unchanged, 2 left out, 0 bad")


def test_names_are_taken_in_the_language_asked_for(tmp_path: Path) -> None:
    succeed(tmp_path, "import", str(DOCUMENTS / "wikidata.json"), "--language", "de")
    assert read(tmp_path, "timeline", "Vereinigtes Königreich")["facts"]


def test_rdf_is_recognised_by_its_name_or_its_first_line(tmp_path: Path) -> None:
    plain, reified = DOCUMENTS / "plain.nt", DOCUMENTS / "reified.ttl"
    named = read(tmp_path / "a", "import", str(plain))
    guessed = read(tmp_path / "b", "import", "-", stdin=reified.read_bytes().replace(b"\nand", b""))
    assert (named["added"], guessed["added"], guessed["bad"]) == (5, 7, [])


def test_columns_of_a_table_are_named_on_the_command_line(tmp_path: Path) -> None:
    rows = ["Land,relation,Stadt", "Kazakhstan,capital,Astana"]
    file = write(tmp_path / "facts.csv", rows)
    columns = ("--column", "Land=subject", "--column", "Stadt=object")
    assert read(tmp_path / "data", "import", file, *columns)["added"] == 1
    wrong = call(tmp_path / "data", "import", file, "--column", "Land")
    assert wrong.exit_code == 2
    assert "write it as NAME=FIELD" in wrong.stderr


def test_graphml_is_what_networkx_reads(tmp_path: Path) -> None:
    succeed(tmp_path / "data", "import", write(tmp_path / "facts.jsonl", GOOD))
    target = tmp_path / "facts.graphml.gz"
    succeed(tmp_path / "data", "export", str(target))
    graph = nx.read_graphml(target, force_multigraph=True)
    assert set(graph) == {"Kazakhstan", "Almaty", "Astana"}


@pytest.mark.parametrize("name", ["facts.csv.bz2", "facts.ttl.gz", "facts.nt.bz2"])
def test_a_name_says_format_and_packing_both_ways(tmp_path: Path, name: str) -> None:
    succeed(tmp_path / "here", "import", write(tmp_path / "facts.jsonl", GOOD))
    target = str(tmp_path / name)
    succeed(tmp_path / "here", "export", target)
    assert read(tmp_path / "there", "import", target)["added"] == 2


def test_a_bzip2_file_that_breaks_off_is_bad_input(tmp_path: Path) -> None:
    packed = tmp_path / "facts.jsonl.bz2"
    packed.write_bytes(bz2.compress("\n".join(GOOD * 500).encode())[:-20])
    result = call(tmp_path / "data", "import", str(packed))
    assert result.exit_code == 2
    assert "not a whole bzip2 file" in result.stderr


# Strictness: nothing is written unless every line can be.

CONFLICTS = {
    "a line that is not JSON": "{",
    "a field that no fact has": '{"subject": "a", "relation": "b", "object": "c", "d": 1}',
    "an id that the graph has given": (
        '{"id": "taken", "subject": "a", "relation": "b", "object": "other"}'
    ),
    "an id that an earlier line has given": (
        '{"id": "first", "subject": "a", "relation": "b", "object": "other"}'
    ),
    "a rival where none may be": (
        '{"subject": "Kazakhstan", "relation": "capital", "object": "Semey", '
        '"valid_from": "1998", "on_conflict": "reject"}'
    ),
}


@pytest.mark.parametrize("what", CONFLICTS)
@pytest.mark.parametrize("piped", [False, True])
def test_a_strict_import_with_a_bad_line_writes_nothing(
    tmp_path: Path, what: str, piped: bool
) -> None:
    data = tmp_path / "data"
    succeed(
        data,
        "import",
        "-",
        stdin=b'{"id": "taken", "subject": "a", "relation": "b", "object": "c"}',
    )
    before = succeed(data, "export")
    lines = [GOOD[0].replace("{", '{"id": "first", ', 1), GOOD[1], CONFLICTS[what]]
    file = write(tmp_path / "facts.jsonl", lines)
    if piped:
        result = run(data, "--output", "json", "import", "-", "--strict", input="\n".join(lines))
        status = result.returncode
    else:
        called = call(data, "--output", "json", "import", file, "--strict")
        result, status = called, called.exit_code  # type: ignore[assignment]
    assert status == 2
    assert "nothing was written" in result.stderr
    report = json.loads(result.stdout)
    assert (report["added"], report["unchanged"], report["bad_total"]) == (0, 0, 1)
    assert report["bad"][0]["line"] == 3
    assert report["revision"] == 1
    assert succeed(data, "export") == before


def test_a_strict_import_of_good_lines_writes_them_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    add(data, "Kazakhstan", "member of", "CIS")
    file = write(tmp_path / "facts.jsonl", GOOD)
    report = read(data, "import", file, "--strict")
    assert (report["added"], report["bad"], report["revision"]) == (2, [], 2)
    again = read(data, "import", file, "--strict")
    assert (again["added"], again["unchanged"], again["revision"]) == (0, 2, 2)


def test_a_strict_import_that_fails_makes_no_graph(tmp_path: Path) -> None:
    file = write(tmp_path / "facts.jsonl", ["{"])
    result = call(tmp_path / "data", "--graph", "fresh", "import", file, "--strict")
    assert result.exit_code == 2
    assert call(tmp_path / "data", "--graph", "fresh", "export").exit_code == 3
