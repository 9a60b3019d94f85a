"""Whatever goes wrong leaves as a problem, with an id for the log and nothing of the code."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from dysk.errors import DataFolderError, DyskError
from graph.errors import GraphError, StoreCorrupt, StoreUnavailable
from service.app import create_app
from service.errors import KINDS
from service.settings import Settings
from tests.service.fakes import FakeWorkspace
from tests.service.harness import Http, problem

ASK = "/v1/graphs/default/ask"
FACTS = "/v1/graphs/default/facts"
JSON = {"Content-Type": "application/json"}


def post_bytes(http: Http, content: bytes, path: str = FACTS) -> Any:
    return http.request("POST", path, content=content, headers=JSON)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"{}}",
        b"facts=1",
        b"\xff\xfe",
        b'{"facts": "\xc3"}',
        b"\xef\xbb\xbf{}",
        b'{"facts": [{"subject": "\\ud800"}]}',
        b'{"facts": NaN}',
        b'{"facts": [Infinity]}',
        b'{"facts": -Infinity}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 100_000,
        b'{"a": "\x01"}',
        b"\x00",
        b"  ",
    ],
)
def test_a_body_that_is_not_json_is_a_400_that_says_where(http: Http, content: bytes) -> None:
    refusal = problem(post_bytes(http, content), 400, "malformed_json")
    assert re.search(r"line \d+ column \d+", refusal["detail"])


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"5", b'"facts"', b"{}"])
def test_a_body_of_another_shape_is_a_422(http: Http, content: bytes) -> None:
    problem(post_bytes(http, content), 422, "invalid_request")


@pytest.mark.parametrize("number", [b"1e999", b"-1e999"])
def test_a_number_that_only_infinity_could_hold_is_refused(http: Http, number: bytes) -> None:
    fact = b'{"subject": "a", "relation": "b", "object": "c", "attributes": {"n": %s}}' % number
    refusal = problem(post_bytes(http, b'{"facts": [%s]}' % fact), 422, "invalid_fact")
    assert refusal["errors"][0]["pointer"] == "/facts/0/attributes"


@pytest.mark.parametrize(
    "media_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "json"],
)
def test_a_body_that_does_not_say_it_is_json_is_a_415(http: Http, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    response = http.request("POST", FACTS, content=b'{"facts": []}', headers=headers)
    problem(response, 415, "unsupported_media_type")


def test_two_content_types_are_a_415(http: Http) -> None:
    headers = [("Content-Type", "application/json"), ("Content-Type", "text/plain")]
    response = http.request("POST", FACTS, content=b"{}", headers=headers)
    problem(response, 415, "unsupported_media_type")


def test_a_charset_beside_the_media_type_is_fine(http: Http) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    response = http.request("POST", ASK, content=b'{"question": "Who?"}', headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/nowhere", "/v1", "/v1/graphs/", "/v1/graphs/a/b/c"])
def test_an_unknown_path_is_a_404(http: Http, path: str) -> None:
    problem(http.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", FACTS, {"GET", "POST"}),
        ("GET", ASK, {"POST"}),
        ("POST", f"{FACTS}/f1", {"DELETE", "GET", "PATCH"}),
        ("DELETE", "/health", {"GET"}),
        ("BREW", "/v1/graphs", {"GET", "POST"}),
    ],
)
def test_a_wrong_method_is_a_405_that_names_the_right_ones(
    http: Http, method: str, path: str, allowed: set[str]
) -> None:
    response = http.request(method, path)
    problem(response, 405, "method_not_allowed")
    assert set(response.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/health", "/ready", "/v1/graphs", "/v1/graphs/default"])
def test_an_unknown_query_parameter_is_a_400_everywhere(http: Http, path: str) -> None:
    refusal = problem(http.get(f"{path}?verbose=1"), 400, "unknown_parameter")
    assert refusal["errors"][0]["parameter"] == "verbose"


@pytest.mark.parametrize(
    ("failure", "status", "retry"),
    [
        (StoreUnavailable("the disk is full: free some space"), 503, True),
        (StoreCorrupt("graph.db was written by a newer dysk: update this one"), 503, False),
        (DataFolderError("the folder is read-only"), 503, False),
    ],
)
def test_a_store_that_fails_is_a_503_in_its_own_words(
    http: Http, workspace: FakeWorkspace, failure: Exception, status: int, retry: bool
) -> None:
    workspace.graph().failure = failure
    response = http.post(ASK, {"question": "Who?"})
    assert problem(response, status, failure.code)["detail"] == str(failure)  # type: ignore[attr-defined]
    assert ("retry-after" in response.headers) is retry


def test_an_unexpected_error_is_a_500_that_tells_the_log_everything_and_the_client_nothing(
    http: Http, workspace: FakeWorkspace, caplog: pytest.LogCaptureFixture
) -> None:
    workspace.graph().failure = RuntimeError("secret inside")
    with caplog.at_level(logging.INFO, "dysk"):
        response = http.post(ASK, {"question": "Who?"}, headers={"X-Request-ID": "abc-1"})
    refusal = problem(response, 500, "internal_error")
    assert "secret" not in response.text
    assert "abc-1" in refusal["detail"]
    [failed] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "abc-1" in failed.getMessage()
    assert "secret inside" in str(failed.exc_info)


def test_an_error_without_a_known_code_is_a_500(http: Http, workspace: FakeWorkspace) -> None:
    class Novel(GraphError):
        code = "novel"

    workspace.graph().failure = Novel("new")
    problem(http.post(ASK, {"question": "Who?"}), 500, "internal_error")


def test_every_error_of_the_store_and_of_dysk_has_its_status() -> None:
    families = [*GraphError.__subclasses__(), *DyskError.__subclasses__()]
    named = {
        str(vars(kind)["code"])
        for kind in families
        if kind.__module__ in ("graph.errors", "dysk.errors")
    }
    assert len(named) >= 12
    client_only = {"service_unreachable", "refused"}  # raised by who asks a service
    assert named - client_only <= set(KINDS)


def test_a_request_id_comes_back(http: Http) -> None:
    response = http.get("/health", headers={"X-Request-ID": "trace_1.2-3"})
    assert response.headers["x-request-id"] == "trace_1.2-3"


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "é", "a\tb", "<script>"])
def test_a_request_id_that_is_unsafe_to_log_is_replaced(http: Http, given: str) -> None:
    response = http.get("/health", headers={"X-Request-ID": given.encode("latin-1")})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


def test_two_request_ids_are_replaced_by_one(http: Http) -> None:
    response = http.get("/health", headers=[("X-Request-ID", "a"), ("X-Request-ID", "b")])
    assert re.fullmatch("[0-9a-f]{32}", response.headers["x-request-id"])


def test_each_request_is_one_line_in_the_log(http: Http, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "dysk.access"):
        http.get("/v1/graphs/a%0Ab", headers={"X-Request-ID": "abc-1"})
    [line] = [record.getMessage() for record in caplog.records if record.name == "dysk.access"]
    assert re.fullmatch(r"GET /v1/graphs/a\\nb 404 [\d.]+ ms abc-1", line)


def test_a_body_up_to_the_limit_passes_and_one_byte_more_is_a_413(
    workspace: FakeWorkspace,
) -> None:
    settings = Settings(data=workspace.path, max_body_bytes=2000)
    ask = b'{"question": "Who?"}'
    with Http(create_app(workspace, settings)) as http:
        assert post_bytes(http, ask + b" " * (2000 - len(ask)), ASK).status_code == 200
        refusal = problem(
            post_bytes(http, ask + b" " * (2001 - len(ask)), ASK), 413, "body_too_large"
        )
    assert "2000 bytes" in refusal["detail"]


def test_the_limit_counts_bodies_that_do_not_say_their_length(workspace: FakeWorkspace) -> None:
    settings = Settings(data=workspace.path, max_body_bytes=2000)

    async def endless() -> Any:
        while True:
            yield b" " * 500

    with Http(create_app(workspace, settings)) as http:
        response = http.request("POST", ASK, content=endless(), headers=JSON)
    problem(response, 413, "body_too_large")


def test_a_batch_of_a_thousand_full_facts_fits_and_ten_megabytes_do_not(http: Http) -> None:
    fact = {"subject": "s", "relation": "r", "attributes": {"note": "n" * 7000}}
    facts = [fact | {"object": f"o{n}"} for n in range(1000)]
    assert http.post(FACTS, {"facts": facts}).status_code == 201
    problem(post_bytes(http, b" " * 10_000_000), 413, "body_too_large")


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "", "9" * 40])
def test_a_content_length_that_is_no_number_is_refused(http: Http, length: str) -> None:
    response = http.request("POST", ASK, content=b"{}", headers=JSON | {"Content-Length": length})
    problem(response, 400, "malformed_request")
