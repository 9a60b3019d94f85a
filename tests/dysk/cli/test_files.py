"""Import and export of whole files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from tests.dysk.cli.calls import ROOT, add, call, read, run, succeed

LINES = [
    '{"relation": "capital", "cardinality": "one", "template": "{object} governs {subject}."}',
    '{"subject": "Kazakhstan", "relation": "capital", "object": "Almaty", "valid_from": "1991"}',
    '{"subject": "Kazakhstan", "relation": "capital", "object": "Astana", "valid_from": "1997"}',
]
BAD = ['{"subject": "Kazakhstan"', "[]", '{"subject": "", "relation": "capital", "object": "x"}']


def write(path: Path, lines: list[str]) -> str:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def without_transaction_time(exported: str) -> list[dict[str, object]]:
    """The lines' records less what the store that wrote them says of when it did."""
    own = ("revision", "recorded_at")
    records = [json.loads(line) for line in exported.splitlines()]
    return [{name: record[name] for name in record if name not in own} for record in records]


def test_an_imported_file_is_counted_and_readable(tmp_path: Path) -> None:
    file = write(tmp_path / "facts.jsonl", LINES)
    data = tmp_path / "data"
    report = read(data, "import", file)
    assert (report["added"], report["unchanged"], report["bad"]) == (2, 0, [])
    objects = [fact["object"] for fact in read(data, "timeline", "Kazakhstan")["facts"]]
    assert objects == ["Almaty", "Astana"]


def test_importing_twice_changes_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "facts.jsonl", LINES)
    first = read(tmp_path / "data", "import", file)
    again = read(tmp_path / "data", "import", file)
    assert (again["added"], again["unchanged"]) == (0, 2)
    assert again["revision"] == first["revision"]
    assert "0 added, 2 unchanged, 0 bad" in succeed(tmp_path / "data", "import", file)


def test_bad_lines_are_named_and_the_good_ones_stored(tmp_path: Path) -> None:
    file = write(tmp_path / "facts.jsonl", [LINES[1], BAD[0], LINES[2], BAD[1], BAD[2]])
    result = call(tmp_path / "data", "import", file)
    assert result.exit_code == 2
    for number in (2, 4, 5):
        assert f"{file}, line {number}: " in result.stderr
    assert result.stdout.startswith("2 added, 0 unchanged, 3 bad")
    assert len(read(tmp_path / "data", "timeline", "Kazakhstan")["facts"]) == 2


def test_bad_lines_stand_in_the_json_report(tmp_path: Path) -> None:
    file = write(tmp_path / "facts.jsonl", [BAD[0], LINES[1]])
    result = call(tmp_path / "data", "--output", "json", "import", file)
    report = json.loads(result.stdout)
    assert result.exit_code == 2
    assert report["bad_total"] == 1
    assert report["bad"][0]["line"] == 1
    assert report["bad"][0]["reason"]


def test_an_unknown_field_is_kept_as_an_attribute_unless_strict(tmp_path: Path) -> None:
    extended = LINES[1].replace("}", ', "confidence": 0.9}')
    file = write(tmp_path / "facts.jsonl", [extended])
    strict = call(tmp_path / "strict", "import", file, "--strict")
    assert strict.exit_code == 2
    assert "confidence" in strict.stderr
    succeed(tmp_path / "lenient", "import", file)
    (fact,) = read(tmp_path / "lenient", "timeline", "Kazakhstan")["facts"]
    assert fact["attributes"] == {"confidence": 0.9}


def test_stdin_and_gzip_are_read_alike(tmp_path: Path) -> None:
    plain = "".join(f"{line}\n" for line in LINES).encode()
    packed = tmp_path / "facts.jsonl.gz"
    packed.write_bytes(gzip.compress(plain))
    imports = [
        read(tmp_path / "a", "import", "-", stdin=plain),
        read(tmp_path / "b", "import", "-", stdin=gzip.compress(plain)),
        read(tmp_path / "c", "import", str(packed)),
    ]
    assert [report["added"] for report in imports] == [2, 2, 2]


def test_a_process_reads_facts_from_its_pipe(tmp_path: Path) -> None:
    result = run(tmp_path, "import", "-", input="".join(f"{line}\n" for line in LINES))
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("2 added")


def test_a_gzip_file_that_breaks_off_is_bad_input(tmp_path: Path) -> None:
    packed = tmp_path / "facts.jsonl.gz"
    plain = "".join(f"{line}\n" for line in LINES * 500).encode()
    packed.write_bytes(gzip.compress(plain)[:-20])
    result = call(tmp_path / "data", "import", str(packed))
    assert result.exit_code == 2
    assert "not a whole gzip file" in result.stderr
    assert "Traceback" not in result.stderr


def test_csv_is_recognised_by_its_name_or_said(tmp_path: Path) -> None:
    rows = ["subject,relation,object,valid_from", "Kazakhstan,capital,Astana,1997"]
    named = write(tmp_path / "facts.csv", rows)
    unnamed = write(tmp_path / "facts.txt", rows)
    assert read(tmp_path / "a", "import", named)["added"] == 1
    assert read(tmp_path / "b", "import", unnamed, "--format", "csv")["added"] == 1


def test_an_export_comes_back_in_without_loss(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    succeed(here, "import", write(tmp_path / "facts.jsonl", LINES))
    end = add(here, "Kazakhstan", "member of", "Commonwealth of Independent States")
    succeed(here, "end", end, "--at", "2030")
    exported = succeed(here, "export")
    succeed(there, "import", "-", "--strict", stdin=exported.encode())
    assert without_transaction_time(succeed(there, "export")) == without_transaction_time(exported)


def test_export_writes_a_file_and_compresses_by_its_name(tmp_path: Path) -> None:
    data = tmp_path / "data"
    succeed(data, "import", write(tmp_path / "facts.jsonl", LINES))
    printed = succeed(data, "export")
    plain, packed = tmp_path / "out.jsonl", tmp_path / "out.jsonl.gz"
    for file in (plain, packed):
        result = call(data, "export", str(file))
        assert result.stdout == ""
        assert f"written to {file}" in result.stderr
    assert plain.read_text() == gzip.decompress(packed.read_bytes()).decode() == printed


def test_an_export_follows_a_link_and_writes_into_a_pipe_without_replacing_either(
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    succeed(data, "import", write(tmp_path / "facts.jsonl", LINES))
    printed = succeed(data, "export")
    real, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
    real.write_text("older")
    link.symlink_to(real)
    succeed(data, "export", str(link))
    assert link.is_symlink()
    assert real.read_text() == printed
    assert run(data, "export", "/dev/stdout").stdout == printed


def test_a_failed_export_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "out" / "facts.jsonl"
    target.parent.mkdir()
    target.write_text("older")
    add(tmp_path / "data", "Kazakhstan", "capital", "Astana")
    assert call(tmp_path / "data", "export", str(target), "--as-of", "soon").exit_code == 2
    assert target.read_text() == "older"
    assert list(target.parent.iterdir()) == [target]


def test_an_export_as_of_a_date_has_what_held_then(tmp_path: Path) -> None:
    succeed(tmp_path / "data", "import", write(tmp_path / "facts.jsonl", LINES))
    then = succeed(tmp_path / "data", "export", "--as-of", "1995", "--format", "csv")
    assert "Almaty" in then
    assert "Astana" not in then


def test_the_example_graph_imports_without_a_bad_line(tmp_path: Path) -> None:
    example = ROOT / "examples" / "world.jsonl"
    report = read(tmp_path / "data", "import", str(example), "--strict")
    facts = sum('"subject"' in line for line in example.read_text().splitlines())
    assert (report["added"], report["bad_total"]) == (facts, 0)
