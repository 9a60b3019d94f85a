"""Keys: who comes in, what they may do, and what is kept of a key."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dysk.errors import DataFolderError
from graph.errors import NotFound
from service.access import need
from service.app import create_app
from service.gate import RateLimit
from service.keys import SCOPES, Caller, KeyRing, Scope
from service.settings import Settings
from tests.service.facts import FACTS, fact
from tests.service.fakes import FakeWorkspace
from tests.service.harness import Http, problem

ASK = "/v1/graphs/default/ask"


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path)


def sent(token: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {token}"}}


def test_a_key_is_found_by_its_secret_alone(ring: KeyRing) -> None:
    key, secret = ring.create("importer", "write", ["news"])
    assert ring.find(secret) == key
    for other in (secret[:-1], secret + "x", key.id, key.digest, ""):
        assert ring.find(other) is None


def test_no_file_holds_the_secret_and_only_the_owner_reads_it(
    ring: KeyRing, tmp_path: Path
) -> None:
    _, secret = ring.create("importer", "write")
    for file in tmp_path.rglob("*"):
        assert secret.encode() not in file.read_bytes()
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600


def test_another_process_sees_a_new_and_a_revoked_key(ring: KeyRing, tmp_path: Path) -> None:
    elsewhere = KeyRing(tmp_path)
    assert not elsewhere.closed
    key, secret = ring.create("importer", "read")
    assert elsewhere.find(secret) == key
    ring.revoke(key.id)
    assert elsewhere.find(secret) is None
    assert elsewhere.closed, "a folder whose keys are all revoked lets nobody in"


def test_a_key_that_never_was_cannot_be_revoked(ring: KeyRing) -> None:
    with pytest.raises(NotFound, match="keys list"):
        ring.revoke("k1")


@pytest.mark.parametrize("content", ["", "[]", '{"keys": [{}]}', '{"keys": 5}'])
def test_a_damaged_file_lets_nobody_in(ring: KeyRing, tmp_path: Path, content: str) -> None:
    (tmp_path / "keys.json").write_text(content)
    with pytest.raises(DataFolderError, match=r"keys\.json"):
        ring.find("anything")


def test_a_damaged_file_closes_the_service(http: Http, workspace: FakeWorkspace) -> None:
    (workspace.path / "keys.json").write_text("{")
    problem(http.get(FACTS), 503, "data_folder")


def test_without_keys_everyone_on_the_machine_may_do_everything(http: Http) -> None:
    assert http.post("/v1/graphs", {"name": "mine"}).status_code == 201


def test_once_there_is_a_key_nobody_comes_in_without(http: Http, workspace: FakeWorkspace) -> None:
    _, secret = KeyRing(workspace.path).create("admin", "admin")
    for options in ({}, sent("dysk_wrong"), {"headers": {"Authorization": f"Basic {secret}"}}):
        response = http.get(FACTS, **options)
        problem(response, 401, "unauthenticated")
        assert response.headers["www-authenticate"].startswith("Bearer")
    assert http.get(FACTS, **sent(secret)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/docs", "/openapi.json"])
def test_some_paths_need_no_key(http: Http, workspace: FakeWorkspace, path: str) -> None:
    KeyRing(workspace.path).create("admin", "admin")
    assert http.get(path).status_code == 200


WRITES = [
    ("POST", FACTS, {"facts": [fact()]}),
    ("PATCH", f"{FACTS}/f1", {"object": "Ben Reed"}),
    ("DELETE", f"{FACTS}/f1?mode=erase", None),
    ("POST", "/v1/graphs/default/erasures", {"source": "x"}),
    ("POST", "/v1/graphs/default/merges", {"source": "a", "target": "b"}),
    ("DELETE", "/v1/jobs/j1", None),
]
ADMINISTRATION = [
    ("POST", "/v1/graphs", {"name": "other"}),
    ("DELETE", "/v1/graphs/default?confirm=default", None),
    ("POST", "/v1/graphs/default/compactions", {"before": 0}),
    ("GET", "/v1/keys", None),
    ("POST", "/v1/keys", {"name": "x", "scope": "admin"}),
    ("DELETE", "/v1/keys/k1", None),
]


@pytest.mark.parametrize(("method", "path", "body"), [*WRITES, *ADMINISTRATION])
def test_a_key_to_read_changes_nothing(
    http: Http, workspace: FakeWorkspace, method: str, path: str, body: object
) -> None:
    _, secret = KeyRing(workspace.path).create("reader", "read")
    problem(http.request(method, path, json=body, **sent(secret)), 403, "forbidden")
    assert http.post(ASK, {"question": "Who?"}, **sent(secret)).status_code == 200


@pytest.mark.parametrize(("method", "path", "body"), ADMINISTRATION)
def test_a_key_to_write_administers_nothing(
    http: Http, workspace: FakeWorkspace, method: str, path: str, body: object
) -> None:
    _, secret = KeyRing(workspace.path).create("writer", "write")
    problem(http.request(method, path, json=body, **sent(secret)), 403, "forbidden")
    assert http.post(FACTS, {"facts": [fact()]}, **sent(secret)).status_code == 201


def test_a_key_to_one_graph_opens_and_shows_no_other(http: Http, workspace: FakeWorkspace) -> None:
    workspace.graph("mine", create=True)
    workspace.graph("theirs", create=True)
    _, secret = KeyRing(workspace.path).create("mine", "admin", ["mine"])
    assert http.get("/v1/graphs/mine/facts", **sent(secret)).status_code == 200
    assert http.get("/v1/graphs", **sent(secret)).json() == {"graphs": ["mine"]}
    models = http.get("/v1/models", **sent(secret)).json()["data"]
    assert [model["id"] for model in models] == ["dysk/mine"]
    for path in ("/v1/graphs/theirs", FACTS, "/v1/keys", "/metrics"):
        problem(http.get(path, **sent(secret)), 403, "forbidden")
    body = {"model": "dysk/theirs", "messages": [{"role": "user", "content": "Who?"}]}
    refused = http.post("/v1/chat/completions", body, **sent(secret))
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    body = {"model": "dysk", "messages": body["messages"], "dysk": {"graph": "theirs"}}
    assert http.post("/v1/chat/completions", body, **sent(secret)).status_code == 403


def test_keys_are_made_listed_and_revoked_over_rest(http: Http) -> None:
    made = http.post("/v1/keys", {"name": "admin", "scope": "admin"})
    assert made.status_code == 201
    key = made.json()
    admin = sent(key["key"])
    listed = http.get("/v1/keys", **admin).json()["keys"]
    assert [each["id"] for each in listed] == [key["id"]]
    assert key["key"] not in http.get("/v1/keys", **admin).text
    revoked = http.request("DELETE", f"/v1/keys/{key['id']}", **admin).json()
    assert revoked["revoked_at"] is not None
    problem(http.get("/v1/keys", **admin), 401, "unauthenticated")


@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]),
    st.lists(st.sampled_from(["v1", "graphs", "keys", "facts", "..", "", "page", "x"]), max_size=5),
)
def test_nothing_but_the_open_paths_is_open(method: str, parts: list[str]) -> None:
    path = "/" + "/".join(parts)
    needed = need(method, path)
    assert (needed is None) == (path == "/" or path.startswith("/page/"))
    if needed is not None and method not in ("GET", "HEAD"):
        assert needed.scope != "read"


@given(st.sampled_from(SCOPES), st.sampled_from(SCOPES))
def test_a_scope_includes_those_before_it(mine: Scope, needed: Scope) -> None:
    assert Caller("x", mine).may(needed) == (SCOPES.index(mine) >= SCOPES.index(needed))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.floats(0, 5), min_size=1, max_size=60))
def test_no_caller_gets_more_than_the_rate_and_one_burst(pauses: list[float]) -> None:
    clock = Clock()
    limit = RateLimit(60, clock)
    for served, pause in enumerate(pauses, start=1):
        clock.now += pause
        wait = limit.wait("me")
        if wait:
            clock.now += wait + 1e-6
            assert limit.wait("me") == 0, "the wait that it names is enough"
        assert served <= clock.now + 10 + 1
    assert limit.wait("somebody else") == 0


@pytest.fixture
def slow(workspace: FakeWorkspace, tmp_path: Path) -> Iterator[Http]:
    with Http(create_app(workspace, Settings(data=tmp_path, requests_per_minute=6))) as http:
        yield http


def test_too_many_requests_are_told_when_to_come_back(slow: Http) -> None:
    assert slow.get(FACTS).status_code == 200
    refused = slow.get(FACTS)
    problem(refused, 429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 11
