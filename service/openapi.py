"""The OpenAPI document: what FastAPI derives, with problems declared as the media type that they
have.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.errors import KINDS, MEDIA_TYPE
from service.replies import ErrorPlace, OpenAIErrorBody, OpenAIErrorOut, ProblemOut

Responses = dict[int | str, dict[str, Any]]

_SCHEMA = "#/components/schemas/"
_ANYWHERE = (
    "unknown_parameter",
    "unauthenticated",
    "forbidden",
    "host_refused",
    "rate_limited",
    "internal_error",
    "data_folder",
)


def problems(*codes: str) -> Responses:
    """The ``responses=`` of a route that may refuse with these codes, or as every route may."""
    return _refusals(codes, MEDIA_TYPE, "ProblemOut")


def openai_problems(*codes: str) -> Responses:
    """The same for a route that speaks OpenAI's dialect."""
    return _refusals(codes, "application/json", "OpenAIErrorOut")


def _refusals(codes: tuple[str, ...], media_type: str, schema: str) -> Responses:
    by_status: dict[int, list[str]] = {}
    for code in (*codes, *_ANYWHERE):
        by_status.setdefault(KINDS[code][0], []).append(code)
    return {
        status: {
            "description": " or ".join(f"`{code}`" for code in found),
            "content": {media_type: {"schema": {"$ref": f"{_SCHEMA}{schema}"}}},
        }
        for status, found in by_status.items()
    }


def install(app: FastAPI) -> None:
    """Make ``app.openapi()`` carry the problem schemas that ``problems`` refers to."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
            )
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            for model in (ErrorPlace, ProblemOut, OpenAIErrorBody, OpenAIErrorOut):
                shape = model.model_json_schema(ref_template=_SCHEMA + "{model}")
                shape.pop("$defs", None)
                schemas[model.__name__] = shape
            schema["components"]["securitySchemes"] = {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key that `dysk keys create` made; none while there are none.",
                }
            }
            schema["security"] = [{"key": []}, {}]
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the way FastAPI documents
