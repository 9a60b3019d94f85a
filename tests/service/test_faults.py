"""The server is killed with -9 under load: its followers miss nothing, its imports are finished."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from dysk.client import Dysk
from graph.errors import StoreUnavailable
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
    http: Http, workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = workspace.graph().store

    def lost(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("the disk is full: make room")

    with monkeypatch.context() as patch:
        patch.setattr(store, "apply", lost)
        refused = http.post(FACTS, {"facts": [fact()]})
        problem(refused, 503, "store_unavailable")
        assert refused.headers["retry-after"] == "1"
        assert http.get(FACTS).json()["facts"] == []
    assert http.post(FACTS, {"facts": [fact()]}).status_code == 201
