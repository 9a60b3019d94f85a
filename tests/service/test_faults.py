"""What fails around the service: it is killed, its store is lost, its disk full, no model there."""

from __future__ import annotations

import json
import resource
import signal
import sys
import threading
from pathlib import Path

import httpx
import pytest

from dysk.client import Dysk
from dysk.workspace import Workspace
from graph.neo4j import Neo4jStore
from service.app import create_app
from service.settings import Settings
from tests.graph.neo4j.bolt_server import DATABASE, BoltServer
from tests.service.facts import FACTS, fact
from tests.service.fakes import FakeWorkspace
from tests.service.harness import Http, problem, wait_until
from tests.service.test_run import running

CHANGES = "/v1/graphs/default/changes"


def write(url: str, number: int) -> None:
    facts = {"facts": [fact(f"Town {number}")]}
    assert httpx.post(url + FACTS, json=facts).status_code == 201


def heard(url: str, since: int, upto: int) -> list[int]:
    """The ids of a stream's events, resumed after ``since``, until ``upto`` came or it broke."""
    found = []
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(since)}
    try:
        with httpx.stream("GET", url + CHANGES, headers=headers, timeout=20) as stream:
            for line in stream.iter_lines():
                if line.startswith("id: "):
                    found.append(int(line.removeprefix("id: ")))
                    if found[-1] == upto:
                        break
    except httpx.TransportError:
        pass
    return found


def test_a_stream_resumed_after_a_kill_has_no_gap_and_nothing_twice(tmp_path: Path) -> None:
    found: list[int] = []
    with running(tmp_path) as service:
        url = service.url
        reader = threading.Thread(target=lambda: found.extend(heard(url, 0, 10_000)))
        reader.start()
        for number in range(10):
            write(url, number)
        service.end(signal.SIGKILL)
        reader.join(timeout=20)
    assert found == list(range(1, len(found) + 1))
    with running(tmp_path) as service:
        for number in range(10, 15):
            write(service.url, number)
        rest = heard(service.url, len(found), 15)
    assert found + rest == list(range(1, 16))


def test_an_import_that_a_kill_broke_off_is_finished_by_the_next_process(tmp_path: Path) -> None:
    count = 20_000
    content = b"".join(json.dumps(fact(f"Town {n}")).encode() + b"\n" for n in range(count))
    headers = {"Content-Type": "application/x-ndjson", "Prefer": "respond-async"}
    with running(tmp_path) as service:
        url = service.url
        accepted = httpx.post(
            f"{url}/v1/graphs/default/imports", content=content, headers=headers, timeout=60
        )
        job = accepted.headers["location"]
        wait_until(lambda: httpx.get(url + job).json()["status"] != "queued", timeout=60)
        service.end(signal.SIGKILL)
    with running(tmp_path) as service:
        url = service.url
        wait_until(lambda: httpx.get(url + job).json()["status"] == "done", timeout=120)
        done = httpx.get(url + job).json()
        assert done["added"] + done["unchanged"] == count
        assert done["attempt"] == 2
        assert httpx.get(f"{url}/v1/graphs/default").json()["facts"] == count
    assert not list(tmp_path.glob("jobs/*.part"))


def test_a_follower_in_python_reconnects_by_itself(tmp_path: Path) -> None:
    found: list[int] = []
    with running(tmp_path) as service:
        url = service.url
        port = int(url.rpartition(":")[2])

        def follow() -> None:
            with Dysk.connect(url) as remote:
                for commit in remote.follow():
                    found.append(commit.revision)
                    if commit.revision == 4:
                        return

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        write(url, 1)
        write(url, 2)
        wait_until(lambda: found == [1, 2])
        service.end(signal.SIGKILL)
    with running(tmp_path, port) as service:
        write(service.url, 3)
        write(service.url, 4)
        follower.join(timeout=30)
    assert found == [1, 2, 3, 4]


def test_a_store_that_is_lost_is_a_503_and_back_when_it_is_back(
    http: Http, workspace: FakeWorkspace
) -> None:
    assert http.post(FACTS, {"facts": [fact("Before")]}).status_code == 201
    file = workspace.folder("default") / "graph.db"
    away = file.rename(file.with_name("away.db"))
    refused = http.post(FACTS, {"facts": [fact("Meanwhile")]})
    assert "removed or replaced" in problem(refused, 503, "store_unavailable")["detail"]
    assert refused.headers["retry-after"] == "1"
    problem(http.get(FACTS), 503, "store_unavailable")
    assert "removed or replaced" in problem(http.get("/ready"), 503, "not_ready")["parts"]["store"]
    assert http.get("/health").status_code == 200
    away.rename(file)
    assert http.post(FACTS, {"facts": [fact("After")]}).status_code == 201
    subjects = [each["subject"] for each in http.get(FACTS).json()["facts"]]
    assert sorted(subjects) == ["After", "Before"]
    assert http.get("/ready").status_code == 200


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")
def test_a_full_disk_is_a_503_and_writes_go_on_once_there_is_room(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        write(service.url, 0)
        # No file of the service may grow by more than some pages: to it the disk is full.
        log = tmp_path / "graphs" / "default" / "graph.db-wal"
        room = log.stat().st_size + 100_000
        unlimited = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (room, -1))
        many = {"facts": [fact(f"Town {n} " + "x" * 900) for n in range(500)]}
        refused = httpx.post(service.url + FACTS, json=many, timeout=60)
        assert "full" in problem(refused, 503, "store_unavailable")["detail"]
        assert len(httpx.get(service.url + FACTS).json()["facts"]) == 1
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, unlimited)
        assert httpx.post(service.url + FACTS, json=many, timeout=60).status_code == 201
        assert httpx.get(service.url + "/v1/graphs/default").json()["facts"] == 501


def test_without_model_files_facts_are_taken_and_ready_says_what_is_missing(
    tmp_path: Path,
) -> None:
    missing = tmp_path / "no" / "model"
    with (
        Workspace(tmp_path / "data", model=str(missing), encoder=str(missing)) as workspace,
        Http(create_app(workspace, Settings(data=workspace.path))) as http,
    ):
        assert http.post(FACTS, {"facts": [fact()]}).status_code == 201
        assert len(http.get(FACTS).json()["facts"]) == 1
        wait_until(lambda: "loading" not in http.get("/ready").json()["parts"].values())
        parts = problem(http.get("/ready"), 503, "not_ready")["parts"]
        assert parts["store"] == "ok"
        assert str(missing) in parts["encoder"]
        asked = http.post("/v1/graphs/default/ask", {"question": "Who leads Norland?"})
        problem(asked, 503, "model_unavailable")
        assert http.get("/health").status_code == 200


@pytest.mark.slow
def test_a_graph_server_that_is_killed_and_started_again_is_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = BoltServer(tmp_path / "bolt")
    server.start()
    monkeypatch.setenv("NEO4J_USER", server.user)
    monkeypatch.setenv("NEO4J_PASSWORD", server.password)
    monkeypatch.setenv("NEO4J_DATABASE", DATABASE)
    missing = str(tmp_path / "no" / "model")
    try:
        with (
            Workspace(
                tmp_path / "data", model=missing, encoder=missing, graph_url=server.uri
            ) as workspace,
            Http(create_app(workspace, Settings(data=workspace.path))) as http,
        ):
            assert http.post(FACTS, {"facts": [fact("Before")]}).status_code == 201
            store = workspace.graph().store
            assert isinstance(store, Neo4jStore)
            monkeypatch.setattr(store._connection, "_patience", 0.5)
            server.kill()
            problem(http.post(FACTS, {"facts": [fact("Meanwhile")]}), 503, "store_unavailable")
            assert problem(http.get("/ready"), 503, "not_ready")["parts"]["store"] != "ok"
            assert http.get("/health").status_code == 200
            server.start()
            assert http.post(FACTS, {"facts": [fact("After")]}).status_code == 201
            subjects = [each["subject"] for each in http.get(FACTS).json()["facts"]]
            assert sorted(subjects) == ["After", "Before"]
            revisions = [each["revision"] for each in http.get(CHANGES).json()["commits"]]
            assert revisions == [1, 2]
    finally:
        server.stop()
