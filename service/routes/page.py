"""The page at ``/``: static files beside the code, sent with a policy that lets nothing else in.

The page speaks to the public REST routes alone, and to no other origin.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response

from dysk.cli.demo import example_lines
from service.errors import Problem

router = APIRouter(include_in_schema=False)  # not strict: the query is the page's own state

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""The Content-Security-Policy: files of this service, nothing inline, no HTML made from text."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
"""Sent with every file. A browser keeps them, but asks each time whether its copy still stands."""

_MEDIA_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent."""

    body: bytes
    media_type: str
    etag: str


@cache
def page_files() -> dict[str, File]:
    """Every file of the page by its name. Only these names are answered, so no path leads out."""
    found = {}
    for each in files("service").joinpath("page").iterdir():
        media_type = _MEDIA_TYPES.get(each.name.rpartition(".")[2])
        if media_type is not None:
            found[each.name] = _file(each.read_bytes(), media_type)
    return found


@cache
def _example() -> File:
    return _file(b"\n".join(example_lines()) + b"\n", "application/x-ndjson")


@router.get("/")
async def page(request: Request) -> Response:
    """The page itself."""
    return _reply(request, page_files()["index.html"])


@router.get("/page/{name}")
async def page_file(name: str, request: Request) -> Response:
    """A file that the page is made of, or ``example.jsonl``, the example graph."""
    if name == "example.jsonl":
        return _reply(request, _example())
    file = page_files().get(name)
    if file is None:
        raise Problem("not_found", f"the page has no file {name!r}; it starts at /")
    return _reply(request, file)


def _file(body: bytes, media_type: str) -> File:
    return File(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:16]}"')


def _reply(request: Request, file: File) -> Response:
    headers = {**HEADERS, "ETag": file.etag}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    return Response(file.body, headers=headers, media_type=file.media_type)
