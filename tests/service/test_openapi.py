"""The OpenAPI document tells the truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from service import schemas
from service.errors import KINDS
from tests.service.harness import Http


@pytest.fixture
def document(http: Http) -> dict[str, Any]:
    response = http.get("/openapi.json")
    assert response.status_code == 200
    document: dict[str, Any] = response.json()
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_route_of_the_interface_is_in_the_document(document: dict[str, Any]) -> None:
    graph = "/v1/graphs/{graph}"
    assert {name for name, _ in operations(document)} == {
        "GET /health",
        "GET /ready",
        "GET /v1/graphs",
        "POST /v1/graphs",
        f"GET {graph}",
        f"DELETE {graph}",
        f"GET {graph}/facts",
        f"POST {graph}/facts",
        f"GET {graph}/facts/{{fact_id}}",
        f"PATCH {graph}/facts/{{fact_id}}",
        f"DELETE {graph}/facts/{{fact_id}}",
        f"GET {graph}/facts/{{fact_id}}/history",
        f"POST {graph}/facts/{{fact_id}}/end",
        f"GET {graph}/relations",
        f"GET {graph}/relations/{{relation}}",
        f"PUT {graph}/relations/{{relation}}",
        f"GET {graph}/entities",
        f"GET {graph}/entities/{{entity}}",
        f"GET {graph}/entities/{{entity}}/timeline",
        f"GET {graph}/entities/{{entity}}/neighbors",
        f"POST {graph}/entities/{{entity}}/aliases",
        f"POST {graph}/merges",
        f"POST {graph}/erasures",
        f"POST {graph}/compactions",
        f"POST {graph}/imports",
        f"GET {graph}/export",
        f"GET {graph}/changes",
        f"GET {graph}/layout",
        f"POST {graph}/search",
        f"POST {graph}/ask",
        "GET /v1/models",
        "POST /v1/chat/completions",
        "GET /v1/jobs",
        "GET /v1/jobs/{job}",
        "DELETE /v1/jobs/{job}",
        "GET /v1/keys",
        "POST /v1/keys",
        "DELETE /v1/keys/{key}",
        "GET /metrics",
    }


def test_every_refusal_is_declared_as_a_problem(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                [(media_type, content)] = response["content"].items()
                openai = operation["tags"] == ["openai"]
                wanted = "application/json" if openai else "application/problem+json"
                assert media_type == wanted, (name, status)
                shape = "OpenAIErrorOut" if openai else "ProblemOut"
                assert content["schema"] == {"$ref": f"#/components/schemas/{shape}"}


def test_every_success_has_a_schema(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if status in ("200", "201", "202") and "application/json" in response["content"]:
                assert "$ref" in response["content"]["application/json"]["schema"], name


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            node = list(node.values())
        if isinstance(node, list):
            for each in node:
                yield from references(each)

    found = set(references(document))
    assert "#/components/schemas/ErrorPlace" in found
    for reference in found:
        assert reference.rpartition("/")[2] in document["components"]["schemas"], reference


def bodies() -> list[type[BaseModel]]:
    return [model for model in schemas.Body.__subclasses__() if model is not schemas.FactIn]


@pytest.mark.parametrize("model", bodies(), ids=lambda model: model.__name__)
def test_every_body_shows_an_example_that_it_accepts(model: type[BaseModel]) -> None:
    examples = model.model_json_schema()["examples"]
    assert examples
    for example in examples:
        model.model_validate(example)


def test_every_code_has_a_status_that_is_an_error() -> None:
    assert all(400 <= status < 600 and title for status, title in KINDS.values())


def test_the_docs_page_is_served(http: Http) -> None:
    response = http.get("/docs")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "<script" not in response.text

    for path in http.get("/openapi.json").json()["paths"]:
        assert path in response.text
