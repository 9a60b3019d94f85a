"""Chat completions, as the official client sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from dysk.errors import ModelUnavailable
from service.app import create_app
from service.keys import KeyRing
from service.settings import Settings
from tests.service.facts import add, fact
from tests.service.fakes import FakeWorkspace
from tests.service.harness import Http, on_a_port

CHAT = "/v1/chat/completions"
QUESTION: list[Any] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Who leads Südland?"},
    {"role": "assistant", "content": "I do not know."},
    {"role": "user", "content": [{"type": "text", "text": "Who leads Norland?"}]},
]


@pytest.fixture
def client(workspace: FakeWorkspace, settings: Settings) -> Iterator[openai.OpenAI]:
    _, secret = KeyRing(workspace.path).create("chat", "write")
    with (
        on_a_port(create_app(workspace, settings)) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key=secret, max_retries=0) as client,
    ):
        yield client


def lead(workspace: FakeWorkspace, graph: str = "default") -> None:
    store = workspace.graph(graph, create=True)
    store.add("Norland", "head of government", "Ada  Quill of Norburg")


def test_the_official_client_gets_an_answer_with_its_evidence(
    client: openai.OpenAI, workspace: FakeWorkspace
) -> None:
    lead(workspace)
    made = client.chat.completions.create(model="dysk", messages=QUESTION, temperature=0.2)
    assert made.choices[0].message.content == "Ada  Quill of Norburg"
    assert made.choices[0].finish_reason == "stop"
    assert made.model_extra is not None
    assert made.model_extra["dysk"]["evidence"][0]["subject"] == "Norland"


def test_the_official_client_streams_an_answer(
    client: openai.OpenAI, workspace: FakeWorkspace
) -> None:
    lead(workspace)
    stream = client.chat.completions.create(
        model="dysk", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    deltas = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(deltas) == "Ada  Quill of Norburg"
    assert len([delta for delta in deltas if delta]) > 1
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None


def test_every_graph_is_a_model(client: openai.OpenAI, workspace: FakeWorkspace) -> None:
    lead(workspace, "politics")
    assert [model.id for model in client.models.list()] == ["dysk", "dysk/politics"]
    made = client.chat.completions.create(model="dysk/politics", messages=QUESTION)
    assert made.choices[0].message.content == "Ada  Quill of Norburg"
    elsewhere = client.chat.completions.create(model="dysk", messages=QUESTION)
    assert elsewhere.choices[0].message.content == "I do not know."
    chosen = client.chat.completions.create(
        model="dysk",
        messages=QUESTION,
        extra_body={"dysk": {"graph": "politics", "as_of": "2021", "mode": "rag"}},
    )
    assert chosen.model_extra is not None
    assert (chosen.model_extra["dysk"]["as_of"], chosen.model_extra["dysk"]["mode"]) == (
        "2021",
        "rag",
    )


def test_refusals_are_the_clients_own_errors(
    client: openai.OpenAI, workspace: FakeWorkspace
) -> None:
    ask: Any = client.chat.completions.create
    with pytest.raises(openai.NotFoundError, match="no model 'gpt'"):
        ask(model="gpt", messages=QUESTION)
    with pytest.raises(openai.NotFoundError, match="no graph"):
        ask(model="dysk/nowhere", messages=QUESTION)
    with pytest.raises(openai.BadRequestError, match="n is not supported"):
        ask(model="dysk", messages=QUESTION, n=2)
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        ask(model="dysk", messages=QUESTION, extra_body={"dysk": {"as_of": "soon"}})
    assert refused.value.param == "/dysk/as_of"
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").models.list()
    workspace.graph().failure = ModelUnavailable("no language model was found")
    with pytest.raises(openai.InternalServerError, match="no language model"):
        ask(model="dysk", messages=QUESTION)
    with pytest.raises(openai.APIError, match="no language model"):
        list(ask(model="dysk", messages=QUESTION, stream=True))


@pytest.mark.parametrize(
    "change",
    [
        {"messages": []},
        {"messages": [{"role": "assistant", "content": "Hm."}]},
        {"messages": [{"role": "user", "content": ""}]},
        {"messages": [{"role": "user", "content": "x" * 20_000}]},
        {"tools": [{"type": "function"}]},
        {"response_format": {"type": "json_object"}},
        {"dysk": {"colour": "red"}},
    ],
)
def test_what_cannot_be_answered_is_refused_in_openai_terms(
    http: Http, change: dict[str, Any]
) -> None:
    response = http.post(CHAT, {"model": "dysk", "messages": QUESTION} | change)
    assert response.status_code in (400, 422), response.text
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert error["code"] in ("invalid_question", "invalid_request", "unsupported_option")


def test_an_answer_as_events_ends_with_the_whole_of_it(http: Http) -> None:
    add(http, fact(object="Ada Quill"))
    response = http.post(
        "/v1/graphs/default/ask",
        {"question": "Who leads Norland?"},
        headers={"Accept": "text/event-stream"},
    )
    events = [event for event in response.text.split("\n\n") if event.startswith("event: ")]
    names = [event.partition("\n")[0].removeprefix("event: ") for event in events]
    assert names == ["meta", "evidence", "token", "token", "done"]
    assert '"answer": "Ada Quill"' in events[-1]


def test_a_failure_on_the_way_is_an_event(http: Http, workspace: FakeWorkspace) -> None:
    workspace.graph().failure = ModelUnavailable("no language model was found")
    response = http.post(
        "/v1/graphs/default/ask",
        {"question": "Who?"},
        headers={"Accept": "text/event-stream"},
    )
    assert "event: error" in response.text
    assert '"code": "model_unavailable"' in response.text
