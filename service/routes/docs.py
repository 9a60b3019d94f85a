"""``/docs``: the OpenAPI document as a plain page. It loads nothing, so it works offline and under
a policy that lets no script run.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, Request, Response

from service.strict import StrictRoute

router = APIRouter(include_in_schema=False, route_class=StrictRoute)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Every route, what it takes and how it may answer."""
    return Response(page(request.app.openapi()), media_type="text/html")


def page(document: dict[str, Any]) -> str:
    """The document as HTML, a section for each operation in the document's order."""
    info = document["info"]
    sections = "\n".join(
        _operation(method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>dysk: REST</title>'
        f'<meta name="viewport" content="width=device-width"></head>\n<body><main>'
        f"<h1>dysk {escape(info['version'])}: REST</h1>\n"
        '<p>For programs: <a href="/openapi.json">openapi.json</a>, with every schema and example. '
        'For people: <a href="/">the page</a>.</p>\n'
        f"{sections}\n</main></body></html>\n"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"<h2><code>{escape(method)} {escape(path)}</code></h2>"]
    told = escape(operation.get("description", "")).replace("\n\n", "</p><p>")
    parts.append(f"<p>{told}</p>")
    items = [*_parameters(operation), *_bodies(operation), *_responses(operation)]
    parts.append("<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>")
    return "<section>" + "".join(parts) + "</section>"


def _parameters(operation: dict[str, Any]) -> Iterator[str]:
    for each in operation.get("parameters", ()):
        needed = "" if each.get("required") else ", optional"
        told = escape(each.get("description", ""))
        yield f"{escape(each['in'])} <code>{escape(each['name'])}</code>{needed}: {told}"


def _bodies(operation: dict[str, Any]) -> Iterator[str]:
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"body <code>{escape(media_type)}</code> {_schema(content)}"


def _responses(operation: dict[str, Any]) -> Iterator[str]:
    for status, response in operation["responses"].items():
        schemas = " ".join(_schema(each) for each in response.get("content", {}).values())
        told = response.get("description", "").replace("`", "")
        yield f"{escape(str(status))}: {escape(told)} {schemas}"


def _schema(content: dict[str, Any]) -> str:
    reference = content.get("schema", {}).get("$ref", "")
    return f"<code>{escape(reference.rpartition('/')[2])}</code>" if reference else ""
