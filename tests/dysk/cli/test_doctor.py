"""The doctor's findings: what is well, what is not, and what mends it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dysk.cli import doctor
from dysk.cli.doctor import Finding, examine
from dysk.cli.settings import Output, Settings
from tests.dysk.cli.calls import add, call


def settings(data: Path) -> Settings:
    return Settings(
        data=data,
        graph="default",
        output=Output.text,
        model="/no/such/model",
        encoder="/no/such/encoder",
        origins={},
    )


def examined(data: Path) -> dict[str, Finding]:
    return {finding.part: finding for finding in examine(settings(data))}


def test_every_part_is_looked_at_once_and_whatever_is_not_ok_has_a_mend(tmp_path: Path) -> None:
    found = list(examine(settings(tmp_path)))
    parts = [finding.part for finding in found]
    assert sorted(parts) == sorted(
        [
            "Python", "torch", "faiss", "compiler", "data folder", "store", "disk", "model",
            "encoder",
        ]
    )  # fmt: skip
    for finding in found:
        assert (finding.level == "ok") == (finding.mend == "")


def test_a_missing_model_fails_and_says_what_to_do(tmp_path: Path) -> None:
    found = examined(tmp_path)
    for part in ("model", "encoder"):
        assert found[part].level == "fail"
        assert f"/no/such/{part}" in found[part].mend


def test_the_store_is_counted(tmp_path: Path) -> None:
    add(tmp_path, "UK", "capital", "London")
    assert examined(tmp_path)["store"].found == "graph default: 1 facts, revision 1"


def test_a_file_in_the_place_of_the_data_folder_fails(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert examined(file)["data folder"].level == "fail"


def test_a_damaged_store_fails_while_its_folder_is_well(tmp_path: Path) -> None:
    add(tmp_path, "UK", "capital", "London")
    (store,) = tmp_path.rglob("graph.db")
    for beside in store.parent.glob("graph.db-*"):
        beside.unlink()
    store.write_bytes(b"this is no database" * 500)
    found = examined(tmp_path)
    assert found["data folder"].level == "ok"
    assert found["store"].level == "fail"


def test_no_compiler_is_a_warning_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert examined(tmp_path / "data")["compiler"].level == "warn"


def test_a_failing_part_makes_the_exit_status_1(tmp_path: Path) -> None:
    bare = ("--model", "/no/such/model", "--encoder", "/no/such/encoder")
    text = call(tmp_path, *bare, "doctor")
    assert text.exit_code == 1
    assert "fail model" in text.stdout
    machine = call(tmp_path, *bare, "--output", "json", "doctor")
    assert machine.exit_code == 1
    report = json.loads(machine.stdout)
    assert report["ok"] is False
    assert {finding["level"] for finding in report["findings"]} <= {"ok", "warn", "fail"}


def test_warnings_alone_leave_the_exit_status_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda _: [Finding("disk", "warn", "little", "more")])
    assert call(tmp_path, "doctor").exit_code == 0
