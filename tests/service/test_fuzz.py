"""Odd requests of every kind are refused as problems; none breaks the service."""

from __future__ import annotations

import json
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.harness import Http, problem

FACTS = "/v1/graphs/default/facts"
JSON = {"Content-Type": "application/json"}

odd_text = st.text() | st.sampled_from(["", "\x00", "2024-13", "f1", "a" * 5000, "\u202e", "0000"])
odd_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | odd_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(odd_text, inner, max_size=4),
    max_leaves=12,
)
fact_fields = st.sampled_from(
    ["subject", "relation", "object", "valid_from", "valid_to", "source", "attributes", "id"]
)
nearly_fact = st.fixed_dictionaries(
    {"subject": odd_text, "relation": odd_text, "object": odd_text},
    optional={"valid_from": odd_json, "attributes": odd_json, "id": odd_json, "aliases": odd_json},
)
any_body = odd_json | st.fixed_dictionaries({"facts": st.lists(nearly_fact | odd_json, max_size=3)})

some = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def assert_sound(response: httpx.Response) -> None:
    """Answered, or refused as a problem by the client's fault; never the service's."""
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        problem(response, response.status_code, response.json()["code"])


@some
@given(any_body)
def test_any_json_as_facts(http: Http, body: Any) -> None:
    content = json.dumps(body).encode()  # NaN, Infinity and \ud800 are written as Python does
    assert_sound(http.request("POST", FACTS, content=content, headers=JSON))


@some
@given(st.binary(max_size=200))
def test_any_bytes_as_a_body(http: Http, content: bytes) -> None:
    assert_sound(http.request("POST", FACTS, content=content, headers=JSON))


@some
@given(
    st.dictionaries(
        st.sampled_from(["question", "as_of", "mode", "top_k", "min_revision", "x"]), odd_json
    )
)
def test_any_object_as_an_ask(http: Http, body: dict[str, Any]) -> None:
    content = json.dumps(body).encode()
    assert_sound(http.request("POST", "/v1/graphs/default/ask", content=content, headers=JSON))


@some
@given(st.dictionaries(fact_fields, odd_json, max_size=3))
def test_any_object_as_a_correction(http: Http, body: dict[str, Any]) -> None:
    fact = {"subject": "Norland", "relation": "capital", "object": "Norburg", "id": "known"}
    http.post(FACTS, {"facts": [fact]})
    content = json.dumps(body).encode()
    assert_sound(http.request("PATCH", f"{FACTS}/known", content=content, headers=JSON))


@some
@given(
    st.dictionaries(
        st.sampled_from(["subject", "as_of", "known_at", "at_revision", "limit", "cursor", "x"]),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    )
)
def test_any_query_of_a_listing(http: Http, query: dict[str, str]) -> None:
    assert_sound(http.get(FACTS, params=query))


@some
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_any_text_in_a_path(http: Http, text: str) -> None:
    quoted = "".join(f"%{byte:02X}" for byte in text.encode())
    for path in (f"/v1/graphs/{quoted}", f"{FACTS}/{quoted}", f"{FACTS}/{quoted}/history"):
        assert_sound(http.get(path))
    body = {"cardinality": "one"}
    assert_sound(http.request("PUT", f"/v1/graphs/default/relations/{quoted}", json=body))


@some
@given(
    st.sampled_from(["If-Match", "Idempotency-Key", "Last-Event-ID", "X-Request-ID", "Accept"]),
    st.binary(max_size=40).filter(lambda value: not set(value) & set(b"\r\n\x00")),
)
def test_any_bytes_in_a_header(http: Http, name: str, value: bytes) -> None:
    headers = {name: value}
    assert_sound(http.get(f"{FACTS}/f404", headers=headers))
    assert_sound(http.request("DELETE", f"{FACTS}/f404?mode=retract", headers=headers))
    assert_sound(http.post(FACTS, {"facts": []}, headers=headers))
    if value != b"text/event-stream":
        assert_sound(http.get("/v1/graphs/default/changes", headers=headers))
