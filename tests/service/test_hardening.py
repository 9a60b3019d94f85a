"""What an attacker may send: paths that climb, headers that split, names that lie, odd texts."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from service.app import create_app
from service.keys import KeyRing
from service.logs import JsonLines
from service.settings import Settings
from tests.service.facts import FACTS, add, fact
from tests.service.fakes import FakeWorkspace
from tests.service.harness import Http, problem

CLIMBS = [
    "..",
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "....//....//etc/passwd",
    "/etc/passwd",
    "..\\..\\windows",
    "keys.json",
    "%00",
]


@pytest.mark.parametrize("climb", CLIMBS)
@pytest.mark.parametrize(
    "place", ["/page/{}", "/v1/graphs/{}", "/v1/jobs/{}", "/v1/graphs/{}/export", "/{}"]
)
def test_no_path_leads_out(http: Http, workspace: FakeWorkspace, place: str, climb: str) -> None:
    KeyRing(workspace.path)  # the folder has what must not leave it
    (workspace.path / "keys.json").write_text('{"keys": []}')
    response = http.get(place.format(climb))
    if response.status_code == 200:  # the climb led back to the page, by the client's own rules
        assert response.headers["content-type"].startswith("text/html")
    assert "root:" not in response.text
    assert '{"keys": []}' not in response.text


@pytest.mark.parametrize("climb", ["..", "../x", "a/b", ".hidden", "x\x00", "C:"])
def test_no_name_of_a_graph_leads_out(http: Http, tmp_path: Path, climb: str) -> None:
    before = sorted(path.name for path in tmp_path.parent.iterdir())
    assert http.post("/v1/graphs", {"name": climb}).status_code == 422
    assert http.post("/v1/keys", {"name": "x", "scope": "read", "graphs": [climb]}).is_error
    assert sorted(path.name for path in tmp_path.parent.iterdir()) == before


@pytest.mark.parametrize("path", ["/", "/health", "/v1/graphs", "/nowhere", "/docs", "/metrics"])
def test_every_response_forbids_what_it_does_not_need(http: Http, path: str) -> None:
    headers = http.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "path", ["/health", FACTS, "/v1/graphs/default/export", "/", "/docs", "/openapi.json"]
)
def test_head_is_get_without_the_body(http: Http, path: str) -> None:
    got, head = http.get(path), http.request("HEAD", path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


def test_head_of_an_endless_stream_ends(http: Http) -> None:
    add(http, fact())
    headers = {"Accept": "text/event-stream"}
    head = http.request("HEAD", "/v1/graphs/default/changes", headers=headers)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "", "localhost.evil.example"]
)
def test_without_keys_another_name_is_refused(http: Http, host: str) -> None:
    problem(http.get(FACTS, headers={"Host": host}), 421, "host_refused")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1:1", "[::1]:8000", "10.0.0.7"]
)
def test_addresses_and_localhost_are_names_enough(http: Http, host: str) -> None:
    assert http.get(FACTS, headers={"Host": host}).status_code == 200


def test_names_that_the_operator_allows_are_taken(workspace: FakeWorkspace, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, allowed_hosts="dysk.example, other.example")
    with Http(create_app(workspace, settings)) as http:
        assert http.get(FACTS, headers={"Host": "DYSK.example:443"}).status_code == 200
        problem(http.get(FACTS, headers={"Host": "evil.example"}), 421, "host_refused")


def logged(logger: str, act: Any, format: logging.Formatter) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(format)
    found = logging.getLogger(logger)
    found.addHandler(handler)
    found.setLevel(logging.INFO)
    try:
        act()
    finally:
        found.removeHandler(handler)
    return stream.getvalue()


@pytest.mark.parametrize("format", [logging.Formatter("%(message)s"), JsonLines()])
def test_a_request_is_one_line_of_log_whatever_its_path(
    http: Http, format: logging.Formatter
) -> None:
    path = "/v1/graphs/%0d%0aroot%20logged%20in%1b%5b31m%e2%80%a8"
    text = logged("dysk.access", lambda: http.get(path), format)
    assert text.count("\n") == 1
    assert text.isascii()
    assert not set(text) & {"\r", "\x1b"}


def test_a_line_of_the_log_says_who_asked_for_what(http: Http, workspace: FakeWorkspace) -> None:
    key, secret = KeyRing(workspace.path).create("me", "read")
    headers = {"Authorization": f"Bearer {secret}", "X-Request-ID": "abc-1"}
    url = f"{FACTS}?subject=a-private-name"
    text = logged("dysk.access", lambda: http.get(url, headers=headers), JsonLines())
    line = json.loads(text)
    assert (line["method"], line["path"], line["status"]) == ("GET", FACTS, 200)
    assert line["route"] == "/v1/graphs/{graph}/facts"
    assert (line["request_id"], line["caller"]) == ("abc-1", f"key {key.id}")
    assert line["duration_ms"] >= 0
    assert secret not in text
    assert "private" not in text


@pytest.mark.parametrize("value", ["a b", "x" * 200, "é", "a;b", "<script>"])
def test_a_request_id_that_is_no_plain_word_is_not_echoed(http: Http, value: str) -> None:
    response = http.get("/health", headers={"X-Request-ID": value.encode()})
    assert response.headers["x-request-id"] != value


def test_texts_are_values_wherever_they_end_up(http: Http) -> None:
    odd = (
        "'; DROP TABLE facts; -- {subject} {{7*7}} ${7*7} <img src=x> %s MATCH (n) DETACH DELETE n"
    )
    add(http, fact(odd, odd, source=odd))
    [found] = http.get(FACTS, params={"subject": odd, "source": odd}).json()["facts"]
    assert (found["subject"], found["object"]) == (odd, odd)
    exported = http.get("/v1/graphs/default/export", params={"format": "graphml"}).text
    assert "<img" not in exported
    assert http.get(FACTS).json()["facts"][0]["subject"] == odd


def test_a_template_cannot_reach_into_objects(http: Http) -> None:
    path = "/v1/graphs/default/relations/leader"
    for template in ("{subject.__class__} {object}", "{subject!r} {object}", "{0} {object}"):
        response = http.request("PUT", path, json={"template": template})
        problem(response, 422, "invalid_fact")


def test_the_service_fetches_no_address_that_it_is_told(http: Http) -> None:
    reached: list[Any] = []
    import socket

    connect = socket.socket.connect
    socket.socket.connect = lambda self, address: reached.append(address)  # type: ignore[method-assign,assignment]
    try:
        add(http, fact("http://127.0.0.1:9/secret", source="file:///etc/passwd"))
        rdf = b"<http://127.0.0.1:9/a> <http://127.0.0.1:9/b> <file:///etc/passwd> .\n"
        headers = {"Content-Type": "application/n-triples"}
        http.post("/v1/graphs/default/imports", content=rdf, headers=headers)
    finally:
        socket.socket.connect = connect  # type: ignore[method-assign]
    assert reached == []
