"""Ways to put facts into a graph over REST."""

from __future__ import annotations

from typing import Any

from service.replies import ReceiptOut
from tests.service.harness import Http

FACTS = "/v1/graphs/default/facts"


def fact(subject: str = "Norland", object: Any = "Ada Quill", **more: Any) -> dict[str, Any]:
    return {"subject": subject, "relation": "head of government", "object": object, **more}


def add(http: Http, *facts: dict[str, Any], **more: Any) -> dict[str, Any]:
    response = http.post(FACTS, {"facts": list(facts), **more})
    assert response.status_code in (200, 201), response.text
    ReceiptOut.model_validate_json(response.content, strict=True)
    receipt: dict[str, Any] = response.json()
    return receipt


def add_one(http: Http, **more: Any) -> dict[str, Any]:
    added: dict[str, Any] = add(http, fact(**more))["items"][0]["fact"]
    return added


def declare_one(http: Http) -> None:
    path = "/v1/graphs/default/relations/head%20of%20government"
    assert http.request("PUT", path, json={"cardinality": "one"}).status_code == 200
