"""The OpenAPI document: what FastAPI derives, with problems declared as the media type that they
have.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.errors import KINDS, MEDIA_TYPE
from service.replies import ErrorPlace, ProblemOut

Responses = dict[int | str, dict[str, Any]]

_SCHEMA = "#/components/schemas/"


def problems(*codes: str) -> Responses:
    """The ``responses=`` of a route that may refuse with these codes, or as every route may."""
    by_status: dict[int, list[str]] = {}
    for code in (*codes, "unknown_parameter", "internal_error"):
        by_status.setdefault(KINDS[code][0], []).append(code)
    return {
        status: {
            "description": " or ".join(f"`{code}`" for code in found),
            "content": {MEDIA_TYPE: {"schema": {"$ref": f"{_SCHEMA}ProblemOut"}}},
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
            for model in (ErrorPlace, ProblemOut):
                shape = model.model_json_schema(ref_template=_SCHEMA + "{model}")
                shape.pop("$defs", None)
                schemas[model.__name__] = shape
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # the way FastAPI documents
