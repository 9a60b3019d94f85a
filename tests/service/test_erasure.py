"""Promise 7 over REST, and beside a running service: erased is gone from every file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dysk.retrieval.encoder import HashEncoder
from dysk.workspace import Workspace
from service.app import create_app
from service.settings import Settings
from tests.dysk.cli.calls import run
from tests.service.harness import Http, wait_until

GRAPH = "/v1/graphs/default"
SECRET = b"secret"


def written(folder: Path) -> bytes:
    """Every byte of every file below a folder."""
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def http(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Http]:
    """The service on a real workspace, with an encoder that takes no time."""
    encoder = HashEncoder(256)
    monkeypatch.setattr(Workspace, "encoder", lambda *_: encoder)
    with Workspace(data) as workspace, Http(create_app(workspace, Settings(data=data))) as http:
        yield http


def post_secret(http: Http) -> str:
    """A fact of which all is secret, that was corrected and searched for; returns its id."""
    fact: dict[str, Any] = {
        "subject": "secret subject",
        "relation": "treasure",
        "object": "secret object",
        "source": "secret source",
        "attributes": {"note": "secret note"},
        "aliases": ["secret byname"],
    }
    headers = {"Idempotency-Key": "plain-key"}
    receipt = http.post(f"{GRAPH}/facts", {"facts": [fact]}, headers=headers).json()
    fact_id: str = receipt["items"][0]["fact"]["id"]
    body = {"object": "secret wording"}
    assert http.request("PATCH", f"{GRAPH}/facts/{fact_id}", json=body).status_code == 200
    plain = {"subject": "Zembla", "relation": "capital", "object": "Onhava"}
    assert http.post(f"{GRAPH}/facts", {"facts": [plain]}).status_code == 201
    found = http.post(f"{GRAPH}/search", {"text": "treasure of secret subject"}).json()
    assert found["results"][0]["fact_id"] == fact_id
    return fact_id


def test_promise_7_an_erasure_over_rest_leaves_no_byte_in_any_file(http: Http, data: Path) -> None:
    fact_id = post_secret(http)
    assert SECRET in written(data)
    assert (data / "graphs" / "default" / "vectors.db").exists()
    assert http.request("DELETE", f"{GRAPH}/facts/{fact_id}?mode=erase").status_code == 200
    assert SECRET not in written(data)
    assert b"Onhava" in written(data)
    for path in ("facts", "changes?since=0"):
        assert "secret" not in http.get(f"{GRAPH}/{path}").text
    again = http.post(f"{GRAPH}/search", {"text": "treasure of secret subject"})
    assert fact_id not in again.text
    assert SECRET not in written(data)


def test_promise_7_an_erasure_by_command_beside_the_service_leaves_no_byte_and_reaches_it(
    http: Http, data: Path
) -> None:
    fact_id = post_secret(http)
    result = run(data, "erase", fact_id)
    assert (result.returncode, result.stderr) == (0, "")
    assert SECRET not in written(data)
    assert http.get(f"{GRAPH}/facts/{fact_id}").status_code == 404
    wait_until(lambda: fact_id not in http.post(f"{GRAPH}/search", {"text": "secret subject"}).text)
    assert SECRET not in written(data)


def test_a_backup_is_taken_and_checked_beside_the_service(
    http: Http, data: Path, tmp_path: Path
) -> None:
    fact_id = post_secret(http)
    before, after = tmp_path / "before", tmp_path / "after"
    assert run(data, "backup", str(before)).stdout == "default: 2 facts, revision 3\n"
    assert http.request("DELETE", f"{GRAPH}/facts/{fact_id}?mode=erase").status_code == 200
    assert run(data, "backup", str(after)).stdout == "default: 1 facts, revision 4\n"
    assert SECRET in written(before)
    assert SECRET not in written(after)
    for result in (run(data, "verify"), run(data, "verify", str(before))):
        assert result.returncode == 0, result.stdout
        assert result.stdout.startswith("default: whole")
    # A restored graph is there for the service without a restart.
    assert run(data, "restore", str(before), "--as", "monday").returncode == 0
    assert http.get(f"/v1/graphs/monday/facts/{fact_id}").json()["object"] == "secret wording"
