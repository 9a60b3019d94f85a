"""The change feed over REST: pages without gaps, and a stream that resumes where it broke off."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service.app import create_app
from service.replies import ChangesPage
from service.settings import Settings
from tests.service.fakes import FakeWorkspace
from tests.service.harness import Http, on_a_port, problem, wait_until

CHANGES = "/v1/graphs/default/changes"
FACTS = "/v1/graphs/default/facts"
STREAM = {"Accept": "text/event-stream"}


def body(number: int) -> dict[str, Any]:
    return {"facts": [{"subject": f"Town {number}", "relation": "mayor", "object": "Ada"}]}


def test_every_commit_is_listed_in_order_with_what_it_did(http: Http) -> None:
    for number in range(3):
        http.post(FACTS, body(number))
    fact_id = http.get(FACTS).json()["facts"][0]["id"]
    http.post(f"{FACTS}/{fact_id}/end", {"at": "2024"})
    http.request("DELETE", f"{FACTS}/{fact_id}?mode=retract")
    http.request("PUT", "/v1/graphs/default/relations/mayor", json={"cardinality": "one"})
    response = http.get(CHANGES)
    ChangesPage.model_validate_json(response.content, strict=True)
    page = response.json()
    assert [commit["revision"] for commit in page["commits"]] == [1, 2, 3, 4, 5, 6]
    kinds = [[change["kind"] for change in commit["changes"]] for commit in page["commits"]]
    assert kinds == [["add"], ["add"], ["add"], ["end"], ["retract"], ["relation"]]
    assert (page["next_since"], page["revision"]) == (6, 6)
    ended = page["commits"][3]["changes"][0]
    assert (ended["before"]["valid_to"], ended["after"]["valid_to"]) == (None, "2024")


def test_pages_follow_one_another_without_gap_or_repetition(http: Http) -> None:
    for number in range(7):
        http.post(FACTS, body(number))
    since, seen = 0, []
    while True:
        page = http.get(CHANGES, params={"since": since, "limit": 3}).json()
        seen += [commit["revision"] for commit in page["commits"]]
        if not page["commits"]:
            break
        since = page["next_since"]
    assert seen == list(range(1, 8))
    assert page == {"commits": [], "next_since": 7, "revision": 7}


def test_what_was_compacted_is_gone_and_says_where_to_go_on(
    http: Http, workspace: FakeWorkspace
) -> None:
    for number in range(4):
        http.post(FACTS, body(number))
    workspace.graph().compact(3)
    for url in (f"{CHANGES}?since=2", f"{FACTS}?at_revision=2"):
        refusal = problem(http.get(url), 410, "history_compacted")
        assert "3" in refusal["detail"]
    problem(http.get(f"{CHANGES}?since=2", headers=STREAM), 410, "history_compacted")
    assert [each["revision"] for each in http.get(f"{CHANGES}?since=3").json()["commits"]] == [4]
    assert len(http.get(f"{FACTS}?at_revision=3").json()["facts"]) == 3


def test_a_merge_is_told_in_the_feed(http: Http, workspace: FakeWorkspace) -> None:
    http.post(FACTS, body(0))
    workspace.graph().merge("Ada", "Ada Quill")
    page = http.get(f"{CHANGES}?since=1")
    ChangesPage.model_validate_json(page.content, strict=True)
    merged, named, moved = page.json()["commits"][0]["changes"]
    assert (merged["kind"], merged["entity"], merged["target"]) == ("merge", "Ada", "Ada Quill")
    assert (moved["kind"], moved["after"]["object"]) == ("merge", "Ada Quill")
    assert (named["kind"], named["aliases"]) == ("alias", ["Ada"])


def test_an_erased_fact_is_gone_from_the_feed(http: Http) -> None:
    http.post(FACTS, body(12345))
    fact_id = http.get(FACTS).json()["facts"][0]["id"]
    http.request("DELETE", f"{FACTS}/{fact_id}?mode=erase")
    feed = http.get(CHANGES)
    assert "12345" not in feed.text
    assert [change["kind"] for c in feed.json()["commits"] for change in c["changes"]] == [
        "erase",
        "erase",
    ]


@pytest.mark.parametrize("query", ["since=-1", "since=x", "limit=0", "limit=1001", "since=1e3"])
def test_a_page_that_cannot_be_names_its_parameter(http: Http, query: str) -> None:
    problem(http.get(f"{CHANGES}?{query}"), 422, "invalid_request")


def test_a_cursor_ahead_of_the_graph_is_told_that_the_graph_was_replaced(http: Http) -> None:
    refusal = problem(http.get(CHANGES, params={"since": 5}), 409, "revision_unknown")
    assert "0" in refusal["detail"]


@pytest.mark.parametrize("given", ["x", "-1", "1.5", "9" * 30])
def test_a_last_event_id_that_is_no_revision_is_a_400(http: Http, given: str) -> None:
    response = http.get(CHANGES, headers=STREAM | {"Last-Event-ID": given})
    assert problem(response, 400, "malformed_request")["errors"][0]["header"] == "Last-Event-ID"


def test_a_stream_of_an_unknown_graph_is_refused_before_it_starts(http: Http) -> None:
    problem(http.get("/v1/graphs/elsewhere/changes", headers=STREAM), 404, "not_found")


@pytest.fixture
def url(workspace: FakeWorkspace, settings: Settings) -> Iterator[str]:
    with on_a_port(create_app(workspace, settings)) as url:
        yield url


def events(lines: Iterator[str], count: int) -> list[dict[str, str]]:
    """The next ``count`` events of a stream, comments and the retry hint left out."""
    found: list[dict[str, str]] = []
    event: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in event:
                found.append(event)
            event = {}
            if len(found) == count:
                return found
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value
    raise AssertionError("the stream ended early")


def test_a_stream_tells_what_was_and_then_what_comes(url: str) -> None:
    httpx.post(url + FACTS, json=body(1))
    with httpx.stream("GET", url + CHANGES, headers=STREAM, timeout=20) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        [old] = events(lines, 1)
        httpx.post(url + FACTS, json=body(2))
        httpx.post(url + FACTS, json=body(3))
        new = events(lines, 2)
    assert [event["id"] for event in (old, *new)] == ["1", "2", "3"]
    assert {event["event"] for event in (old, *new)} == {"commit"}
    change = json.loads(new[0]["data"])["changes"][0]
    assert (change["kind"], change["after"]["subject"]) == ("add", "Town 2")


def test_a_stream_resumes_after_the_last_event_that_its_reader_saw(url: str) -> None:
    for number in range(1, 6):
        httpx.post(url + FACTS, json=body(number))
    resumed = STREAM | {"Last-Event-ID": "3"}
    query = {"since": 1}  # where the reader first began: an EventSource repeats its URL
    with httpx.stream("GET", url + CHANGES, headers=resumed, params=query, timeout=20) as stream:
        assert [event["id"] for event in events(stream.iter_lines(), 2)] == ["4", "5"]


def test_a_stream_ends_with_an_error_event_when_its_graph_is_deleted(url: str) -> None:
    httpx.post(url + "/v1/graphs", json={"name": "politics"})
    httpx.post(url + "/v1/graphs/politics/facts", json=body(1))
    feed = url + "/v1/graphs/politics/changes"
    with httpx.stream("GET", feed, headers=STREAM, timeout=20) as stream:
        lines = stream.iter_lines()
        events(lines, 1)
        httpx.delete(url + "/v1/graphs/politics?confirm=politics")
        [last] = events(lines, 1)
        assert last["event"] == "error"
        assert json.loads(last["data"])["code"] == "store_unavailable"
        assert list(lines) == []


def test_a_quiet_stream_does_not_keep_the_service_from_stopping(
    workspace: FakeWorkspace, settings: Settings
) -> None:
    app = create_app(workspace, settings)
    with on_a_port(app) as url:
        client = httpx.Client(timeout=20)
        stream = client.stream("GET", url + CHANGES, headers=STREAM)
        lines = stream.__enter__().iter_lines()
        assert next(lines) == "retry: 1000"
        # leaving the block asserts that the server stops
    assert [line for line in lines if line] == []
    client.close()


def test_a_reader_that_hangs_up_is_let_go_without_an_error(
    workspace: FakeWorkspace, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "dysk")
    with on_a_port(create_app(workspace, settings)) as url:
        with httpx.stream("GET", url + CHANGES, headers=STREAM, timeout=20) as stream:
            assert next(stream.iter_lines()) == "retry: 1000"
        wait_until(lambda: any("/changes 200" in line for line in caplog.messages))
        httpx.post(url + FACTS, json=body(1))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
