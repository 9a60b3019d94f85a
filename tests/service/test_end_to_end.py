"""The service with the real models: facts go in, answers change."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dysk.errors import ModelUnavailable
from dysk.workspace import Workspace
from service.app import create_app
from service.replies import AnswerOut, SearchResults
from service.settings import Settings
from tests.service.harness import Http, problem

pytestmark = pytest.mark.models

GRAPH = "/v1/graphs/default"


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    folder = tmp_path_factory.mktemp("data")
    with Workspace(folder) as workspace:
        try:
            workspace.warm()
        except ModelUnavailable as error:
            pytest.skip(f"the models are not installed: {error}")
        with Http(create_app(workspace, Settings(data=folder))) as http:
            body = {"cardinality": "one"}
            http.request("PUT", f"{GRAPH}/relations/head%20of%20government", json=body)
            yield http


def lead(http: Http, country: str, leader: str, valid_from: str) -> dict[str, Any]:
    fact = {"subject": country, "relation": "head of government", "object": leader}
    response = http.post(f"{GRAPH}/facts", {"facts": [fact | {"valid_from": valid_from}]})
    assert response.status_code == 201
    receipt: dict[str, Any] = response.json()
    return receipt


def ask(http: Http, question: str, **more: Any) -> dict[str, Any]:
    response = http.post(f"{GRAPH}/ask", {"question": question} | more)
    assert response.status_code == 200, response.text
    AnswerOut.model_validate_json(response.content, strict=True)
    answer: dict[str, Any] = response.json()
    return answer


def test_many_who_ask_at_once_get_the_answers_of_one_who_asks_alone(http: Http) -> None:
    facts = [
        {"subject": f"Port {name}", "relation": relation, "object": f"{name} {other}"}
        for name in ("Ostrava", "Kelm", "Brunholt", "Tiss")
        for relation, other in (("harbour master", "Vane"), ("founder", "Orlow"))
    ]
    assert http.post(f"{GRAPH}/facts", {"facts": facts}).status_code == 201
    questions = [f"Who is the {fact['relation']} of {fact['subject']}?" for fact in facts]

    def answer_to(question: str) -> str:
        return str(ask(http, question)["answer"])

    alone = [answer_to(question) for question in questions]
    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(answer_to, questions * 4)) == alone * 4


def test_a_warm_workspace_is_ready(http: Http) -> None:
    response = http.get("/ready")
    assert (response.status_code, response.json()["status"]) == (200, "ready")


def test_an_update_changes_the_next_answer_and_leaves_the_past(http: Http) -> None:
    question = "Who is the head of government of Norland?"
    lead(http, "Norland", "Ada Quill", "2020")
    assert "Ada Quill" in ask(http, question)["answer"]
    receipt = lead(http, "Norland", "Benjamin Reed", "2024")
    now = ask(http, question, min_revision=receipt["revision"])
    assert "Benjamin Reed" in now["answer"]
    assert now["revision"] >= receipt["revision"]
    assert now["evidence"][0]["fact_id"] == receipt["items"][0]["fact"]["id"]
    assert "Ada Quill" in ask(http, question, as_of="2021-03")["answer"]


def test_an_erased_fact_is_spoken_no_more(http: Http) -> None:
    question = "Who is the head of government of Sudland?"
    receipt = lead(http, "Sudland", "Cyrus Trane", "2021")
    assert "Cyrus Trane" in ask(http, question)["answer"]
    fact_id = receipt["items"][0]["fact"]["id"]
    assert http.request("DELETE", f"{GRAPH}/facts/{fact_id}?mode=erase").status_code == 200
    after = ask(http, question)
    assert "Cyrus" not in str(after)
    assert fact_id not in [found["fact_id"] for found in after["evidence"]]


def test_search_ranks_facts(http: Http) -> None:
    lead(http, "Estland", "Dora Vance", "2019")
    response = http.post(f"{GRAPH}/search", {"text": "head of government of Estland"})
    assert response.status_code == 200
    SearchResults.model_validate_json(response.content, strict=True)
    assert response.json()["results"][0]["object"] == "Dora Vance"


def test_every_mode_answers(http: Http) -> None:
    lead(http, "Westland", "Ewan Price", "2018")
    for mode in ("attention", "rag", "hybrid", "closed_book"):
        answer = ask(http, "Who is the head of government of Westland?", mode=mode)
        assert answer["mode"] == mode
        assert answer["timings_ms"]["total"] > 0
        assert answer["evidence"] or mode == "closed_book"


def test_a_revision_that_is_not_reached_is_a_409(http: Http) -> None:
    body = {"question": "Who leads Norland?", "min_revision": 10**6}
    response = http.post(f"{GRAPH}/ask", body)
    problem(response, 409, "revision_not_reached")
    assert response.headers["retry-after"]


def test_an_empty_graph_abstains(http: Http) -> None:
    http.post("/v1/graphs", {"name": "empty"})
    response = http.post("/v1/graphs/empty/ask", {"question": "Who leads Norland?"})
    assert (response.status_code, response.json()["status"]) == (200, "abstained")
