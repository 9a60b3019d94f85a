"""Graphs over REST: create, look, delete; nothing leaks from one into another."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.harness import Http, problem

FACT = {"subject": "Norland", "relation": "capital", "object": "Norburg"}


def test_the_default_graph_is_always_there(http: Http) -> None:
    assert http.get("/v1/graphs").json() == {"graphs": ["default"]}
    assert http.get("/v1/graphs/default").json() == {"name": "default", "revision": 0, "facts": 0}


def test_a_created_graph_is_listed_and_empty(http: Http) -> None:
    response = http.post("/v1/graphs", {"name": "politics"})
    assert response.status_code == 201
    assert response.json() == {"name": "politics", "revision": 0, "facts": 0}
    assert http.get("/v1/graphs").json() == {"graphs": ["default", "politics"]}


def test_a_graph_is_created_once(http: Http) -> None:
    http.post("/v1/graphs", {"name": "politics"})
    problem(http.post("/v1/graphs", {"name": "politics"}), 409, "graph_exists")


@pytest.mark.parametrize(
    "body", [{}, {"name": 5}, {"name": "a", "size": 1}, {"name": None}, [], "politics"]
)
def test_a_graph_needs_a_name_and_nothing_else(http: Http, body: Any) -> None:
    problem(http.post("/v1/graphs", body), 422, "invalid_request")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../up", "a/b", "Ä", ".git", "-rf", "a\n", "a" * 65, "a\x00b"]
)
def test_a_name_that_could_leave_the_data_folder_is_refused(http: Http, name: str) -> None:
    problem(http.post("/v1/graphs", {"name": name}), 422, "invalid_request")
    assert http.get("/v1/graphs").json() == {"graphs": ["default"]}


def test_an_unknown_graph_is_a_404_everywhere_and_is_not_created(http: Http) -> None:
    base = "/v1/graphs/elsewhere"
    for response in (
        http.get(base),
        http.get(f"{base}/facts"),
        http.get(f"{base}/facts/f1"),
        http.get(f"{base}/changes"),
        http.post(f"{base}/facts", {"facts": [FACT]}),
        http.post(f"{base}/ask", {"question": "Who?"}),
        http.post(f"{base}/search", {"text": "Who?"}),
        http.request("DELETE", f"{base}?confirm=elsewhere"),
    ):
        problem(response, 404, "not_found")
    assert http.get("/v1/graphs").json() == {"graphs": ["default"]}


def test_facts_stay_in_their_graph(http: Http) -> None:
    http.post("/v1/graphs", {"name": "politics"})
    http.post("/v1/graphs/politics/facts", {"facts": [FACT]})
    assert http.get("/v1/graphs/politics").json()["facts"] == 1
    assert http.get("/v1/graphs/default").json()["facts"] == 0


@pytest.mark.parametrize("query", ["", "?confirm=", "?confirm=default", "?confirm=Politics"])
def test_deleting_a_graph_wants_its_name_twice(http: Http, query: str) -> None:
    http.post("/v1/graphs", {"name": "politics"})
    refusal = problem(
        http.request("DELETE", f"/v1/graphs/politics{query}"), 400, "confirmation_required"
    )
    assert "?confirm=politics" in refusal["detail"]
    assert http.get("/v1/graphs/politics").status_code == 200


def test_a_deleted_graph_is_gone_and_its_name_is_free(http: Http) -> None:
    http.post("/v1/graphs", {"name": "politics"})
    http.post("/v1/graphs/politics/facts", {"facts": [FACT]})
    response = http.request("DELETE", "/v1/graphs/politics?confirm=politics")
    assert (response.status_code, response.content) == (204, b"")
    problem(http.get("/v1/graphs/politics"), 404, "not_found")
    assert http.post("/v1/graphs", {"name": "politics"}).json()["facts"] == 0


def test_the_default_graph_is_empty_again_after_its_deletion(http: Http) -> None:
    http.post("/v1/graphs/default/facts", {"facts": [FACT]})
    assert http.request("DELETE", "/v1/graphs/default?confirm=default").status_code == 204
    assert http.get("/v1/graphs/default").json() == {"name": "default", "revision": 0, "facts": 0}
