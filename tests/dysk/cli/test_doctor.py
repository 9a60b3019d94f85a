"""The doctor's findings: what is well, what is not, and what mends it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from dysk.cli import doctor, doctor_data, doctor_machine
from dysk.cli.doctor import examine
from dysk.cli.findings import Finding
from dysk.cli.settings import Output, Settings
from dysk.retrieval import index_file
from tests.contracts.tiny_model import save_tiny_model
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
            "Python", "packages", "extras", "compiler", "torch", "CPU kernel", "disk",
            "data folder", "store", "clock", "model", "encoder",
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


def test_every_graph_is_looked_at(tmp_path: Path) -> None:
    add(tmp_path, "UK", "capital", "London")
    call(tmp_path, "--graph", "other", "add", "Spain", "capital", "Madrid")
    found = [each.found for each in examine(settings(tmp_path)) if each.part == "store"]
    assert found == ["graph default: 1 facts, revision 1", "graph other: 1 facts, revision 1"]


def test_a_store_of_a_newer_dysk_fails_and_says_so(tmp_path: Path) -> None:
    add(tmp_path, "UK", "capital", "London")
    with closing(sqlite3.connect(tmp_path / "graphs" / "default" / "graph.db")) as file:
        file.execute("PRAGMA user_version = 9999")
        file.commit()
    store = examined(tmp_path)["store"]
    assert store.level == "fail"
    assert "newer" in store.mend


def test_a_store_that_another_program_holds_is_a_warning(tmp_path: Path) -> None:
    add(tmp_path, "UK", "capital", "London")
    assert "lock" not in examined(tmp_path)
    path = tmp_path / "graphs" / "default" / "graph.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        lock = examined(tmp_path)["lock"]
    assert (lock.level, lock.found) == (
        "warn",
        "graph default cannot be written now: database is locked",
    )


def test_an_index_is_told_how_far_behind_it_is_or_that_it_is_damaged(tmp_path: Path) -> None:
    add(tmp_path, "UK", "capital", "London")
    add(tmp_path, "Spain", "capital", "Madrid")
    path = tmp_path / "graphs" / "default" / index_file.NAME
    index_file.write(path, {"heading": [json.dumps({"revision": 1})]})
    assert examined(tmp_path)["index"].found.startswith("graph default: 1 revisions behind")
    index_file.write(path, {"heading": [json.dumps({"revision": 3})]})
    assert examined(tmp_path)["index"].level == "warn"
    index_file.write(path, {"heading": [json.dumps({"revision": 1})]})
    path.write_bytes(path.read_bytes()[:100])
    assert examined(tmp_path)["index"].level == "warn"


def test_a_folder_that_may_not_be_written_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor_data.tempfile, "TemporaryFile", refused)
    assert "Permission denied" in examined(tmp_path)["data folder"].mend


@pytest.mark.parametrize(
    ("now", "latest", "level"),
    [
        ("2026-11-24T12:00:00+00:00", None, "ok"),
        ("2026-11-24T12:00:00+00:00", "2026-11-24T11:59:59+00:00", "ok"),
        ("2026-11-24T12:00:00+00:00", "2026-11-24T12:05:00+00:00", "warn"),
        ("1970-01-01T00:00:10+00:00", None, "warn"),
    ],
)
def test_a_clock_that_cannot_be_right_is_a_warning(
    now: str, latest: str | None, level: str
) -> None:
    moment = datetime.fromisoformat(now)
    found = doctor_data.clock(moment, (latest and datetime.fromisoformat(latest)) or None)
    assert found.level == level


def test_little_room_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor_data.disk(tmp_path / "not" / "there").level == "ok"
    monkeypatch.setattr(doctor_data, "_ROOM", 2**62)
    assert doctor_data.disk(tmp_path).level == "warn"


def test_a_model_that_was_cut_off_fails(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "tiny")
    weights = folder / "model.safetensors"
    here = settings(tmp_path / "data")
    (model, _) = doctor_machine.models(replace(here, model=str(folder)))
    assert (model.level, "weights" in model.found) == ("ok", True)
    weights.write_bytes(weights.read_bytes()[:-100])
    (model, _) = doctor_machine.models(replace(here, model=str(folder)))
    assert model.level == "fail"
    assert "model.safetensors" in model.found
    weights.unlink()
    (model, _) = doctor_machine.models(replace(here, model=str(folder)))
    assert "there are no weights in it" in model.found


def test_packages_that_are_too_old_fail_with_the_command_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_machine, "requires", lambda _: ["numpy>=999", "rich>=1"])
    packages = examined(tmp_path)["packages"]
    assert (packages.level, packages.mend) == ("fail", "pip install 'numpy>=999'")


def test_extras_that_are_missing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine, "installed", {"mcp": "2.3"}.get)
    found = examined(tmp_path)["extras"].found
    assert found == "mcp; for more: pip install 'dysk[neo4j,rdf,otel]'"


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
