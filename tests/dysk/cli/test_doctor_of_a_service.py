"""``dysk --url … doctor``: how a running service is, as far as a client can tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from dysk.cli import app, doctor_service
from dysk.cli.findings import Finding
from service.app import create_app
from service.keys import KeyRing
from service.settings import Settings
from tests.service.fakes import FakeWorkspace
from tests.service.harness import on_a_port


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[FakeWorkspace]:
    with FakeWorkspace(tmp_path) as workspace:
        yield workspace


@pytest.fixture
def url(workspace: FakeWorkspace) -> Iterator[str]:
    with on_a_port(create_app(workspace, Settings(data=workspace.path))) as url:
        yield url


def examined(url: str, key: str | None = None, graph: str = "default") -> dict[str, Finding]:
    found = list(doctor_service.examine(url, key, graph))
    for finding in found:
        assert (finding.level == "ok") == (finding.mend == "")
    return {finding.part: finding for finding in found}


def test_a_service_that_is_well_is_well_in_each_part(url: str) -> None:
    found = examined(url)
    assert set(found) == {"service", "clock", "version", "store", "encoder", "model", "graph"}
    assert {finding.level for finding in found.values()} == {"ok"}
    assert found["graph"].found == "default: 0 facts, revision 0"


def test_parts_that_load_are_a_warning_and_parts_that_fail_a_failure(
    url: str, workspace: FakeWorkspace
) -> None:
    workspace.parts |= {"model": "loading", "encoder": "no encoder was found"}
    found = examined(url)
    assert (found["model"].level, found["encoder"].level) == ("warn", "fail")
    assert found["encoder"].found == "no encoder was found"


def test_a_key_is_asked_for_and_one_for_another_graph_is_told(
    url: str, workspace: FakeWorkspace
) -> None:
    _, key = KeyRing(workspace.path).create("reader", "read", ("news",))
    assert "DYSK_API_KEY" in examined(url)["graph"].mend
    found = examined(url, key)
    assert found["key"].found == "stays on this machine"
    assert "--graph default" in found["graph"].mend
    assert key not in str(found)


def test_a_graph_that_is_not_there_is_told(url: str) -> None:
    assert "create it" in examined(url, graph="nowhere")["graph"].mend


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "not an address", "ftp://127.0.0.1"])
def test_no_service_is_a_failure_with_a_mend(address: str) -> None:
    (finding,) = doctor_service.examine(address, None, "default")
    assert finding.level == "fail"
    assert finding.mend


def test_what_answers_may_be_another_program() -> None:
    assert not doctor_service._is_dysk(httpx.Response(200, text="<html>"))
    assert not doctor_service._is_dysk(httpx.Response(404, json={"status": "ok"}))


def test_clocks_that_are_apart_are_a_warning() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(minutes=10))
    found = doctor_service._clock(httpx.Response(200, headers={"date": later}))
    assert found.level == "warn"


@pytest.mark.parametrize(
    ("address", "level"),
    [("http://10.0.0.7:8000", "warn"), ("https://example.org", "ok"), ("http://[::1]", "ok")],
)
def test_a_key_in_the_clear_is_a_warning(address: str, level: str) -> None:
    assert doctor_service._secrecy(httpx.URL(address)).level == level


def test_the_verb_takes_the_address_from_before_it(url: str) -> None:
    result = CliRunner().invoke(app, ["--url", url, "doctor"])
    assert result.exit_code == 0, result.output
    assert "agrees with this machine's" in result.output
    gone = CliRunner().invoke(app, ["--url", "http://127.0.0.1:9", "--output", "json", "doctor"])
    assert gone.exit_code == 1
    assert '"ok": false' in gone.output.replace('"ok":false', '"ok": false')
