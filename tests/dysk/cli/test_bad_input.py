"""Bad input never shows a traceback: a sentence on stderr, and a stable exit status."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path

import pytest

from tests.dysk.cli.calls import add, call, command, run, run_python, succeed

FACT = ("UK", "head of government", "Keir Starmer")

REFUSED = [
    (("add", *FACT, "--from", "2024-02-30"), 2, "29 days"),
    (("add", *FACT, "--from", "2024-13"), 2, "no month 13"),
    (("add", *FACT, "--from", "yesterday"), 2, "ISO 8601"),
    (("add", *FACT, "--from", ""), 2, "ISO 8601"),
    (("add", *FACT, "--from", "2024", "--to", "2023"), 2, "inverted"),
    (("add", *FACT, "--from", "2024", "--to", "2024"), 2, "empty"),
    (("add", "", "capital", "London"), 2, "subject"),
    (("add", "UK", "  ", "London"), 2, "relation"),
    (("add", "UK", "capital", ""), 2, "object"),
    (("add", "UK", "capital", "Lon\0don"), 2, "object"),
    (("add", "UK", "capital", "Lon\x1b[31mdon"), 2, "object"),
    (("add", "UK", "capital", "x" * 100_000), 2, "object"),
    (("add", "UK", "capital", "Lon\udcffdon"), 2, "object"),
    (("add", "UK", "capital", "London", "--alias", ""), 2, "alias"),
    (("add", "UK", "capital"), 2, "object"),
    (("add", *FACT, "--on-conflict", "shrug"), 2, "supersede"),
    (("end", "nope", "--at", "2024"), 3, "nope"),
    (("end", "nope"), 2, "--at"),
    (("correct", "nope", "object=x"), 3, "nope"),
    (("correct", "nope", "status=active"), 2, "no field"),
    (("retract", "nope"), 3, "nope"),
    (("erase", "nope"), 3, "nope"),
    (("relation", ""), 2, ""),
    (("relation", "capital", "--cardinality", "two"), 2, "many"),
    (("relation", "capital", "--template", "no placeholders"), 2, "{subject}"),
    (("timeline", "Atlantis"), 3, "Atlantis"),
    (("changes", "--since", "-1"), 2, "--since"),
    (("import", "no-such-file.jsonl"), 2, "no-such-file.jsonl"),
    (("import", "/"), 2, "/"),
    (("export", "/no/such/folder/x.jsonl"), 2, "/no/such/folder"),
    (("export", "--as-of", "soon"), 2, "ISO 8601"),
    (("ask", "Who?", "--as-of", "2024-02-30"), 2, "29 days"),
    (("ask", "Who?", "--mode", "guess"), 2, "closed_book"),
    (("search", "Who?", "--as-of", "soon"), 2, "ISO 8601"),
    (("--graph", "nope", "timeline", "UK"), 3, "nope"),
    (("--graph", "../nope", "add", *FACT), 3, "nope"),
    (("--model", "/no/such/model", "ask", "Who?"), 6, "/no/such/model"),
    (("--encoder", "/no/such/encoder", "search", "Who?"), 6, "/no/such/encoder"),
    (("--output", "yaml", "timeline", "UK"), 2, "json"),
    (("dance",), 2, "dance"),
]


@pytest.mark.parametrize(("arguments", "status", "said"), REFUSED)
def test_what_cannot_be_done_is_said_on_stderr_with_its_status(
    tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    result = call(tmp_path, *arguments)
    assert result.exit_code == status, result.output
    assert said in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_with_json_output_the_error_is_json_too(tmp_path: Path) -> None:
    result = call(tmp_path, "--output", "json", "retract", "nope")
    problem = json.loads(result.stderr)["error"]
    assert problem["code"] == "not_found"
    assert problem["exit_status"] == result.exit_code == 3
    assert "nope" in problem["detail"]


def test_a_refused_write_leaves_nothing_behind(tmp_path: Path) -> None:
    call(tmp_path, "add", *FACT, "--from", "2024", "--to", "2023")
    assert succeed(tmp_path, "changes") == ""


def test_a_rejected_conflict_names_the_fact_in_the_way(tmp_path: Path) -> None:
    held = add(tmp_path, "UK", "capital", "London")
    result = call(tmp_path, "add", "UK", "capital", "Leeds", "--on-conflict", "reject")
    assert result.exit_code == 4
    assert held in result.stderr


def test_no_arguments_show_the_help(tmp_path: Path) -> None:
    result = run_python(["-m", "dysk"])
    assert result.returncode == 2
    assert "Usage: dysk" in result.stdout + result.stderr


@pytest.mark.parametrize("verb", [("add", *FACT), ("timeline", "UK"), ("changes",), ("export",)])
def test_a_file_in_the_place_of_the_data_folder_is_refused_untouched(
    tmp_path: Path, verb: tuple[str, ...]
) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    for place in (file, file / "below"):
        result = call(place, *verb)
        assert result.exit_code == 5, result.output
        assert str(file) in result.stderr
    assert file.read_text() == "mine"


@pytest.mark.parametrize("verb", [("add", *FACT), ("timeline", "UK"), ("export",)])
def test_a_damaged_store_is_refused_untouched(tmp_path: Path, verb: tuple[str, ...]) -> None:
    add(tmp_path, *FACT)
    (store,) = tmp_path.rglob("graph.db")
    for beside in store.parent.glob("graph.db-*"):
        beside.unlink()
    store.write_bytes(b"this is no database" * 500)
    result = call(tmp_path, *verb)
    assert result.exit_code == 5, result.output
    assert "Traceback" not in result.stderr
    assert store.read_bytes() == b"this is no database" * 500


def test_a_folder_that_cannot_be_written_is_said_to_be_so(tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o555)
    result = run(folder, "add", *FACT, preexec_fn=_obey_permissions)
    assert result.returncode == 5, result.stderr
    assert "Traceback" not in result.stderr
    assert str(folder) in result.stderr
    assert list(folder.iterdir()) == []


def test_an_argument_that_is_not_unicode_is_refused_by_the_process(tmp_path: Path) -> None:
    result = run_python(command(tmp_path, "add", "UK", "capital", b"Lon\xffdon")[1:])
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr


def _obey_permissions() -> None:
    """Let root fail where anyone else would: exec grants no CAP_DAC_OVERRIDE after this."""
    drop_from_bounding_set, dac_override = 24, 1
    ctypes.CDLL(None).prctl(drop_from_bounding_set, dac_override, 0, 0, 0)
