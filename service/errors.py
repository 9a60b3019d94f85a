"""Every refusal leaves as RFC 9457 ``application/problem+json``, whoever raised it.

``code`` is stable and machine-readable; ``detail`` says in words what to do. ``errors`` points at
the offending parts: an RFC 6901 ``pointer`` into the body, or the name of a ``parameter`` or
``header``. Only on the routes that speak OpenAI's dialect do refusals have its envelope.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import Scope

from dysk.errors import DyskError
from graph.errors import Conflict, GraphError

MEDIA_TYPE = "application/problem+json"
OPENAI_PATHS = ("/v1/models", "/v1/chat/")
MAX_ERRORS = 100
"""Errors listed in one problem; a batch with more is told about the first ones."""

LONGEST_TEXT = 400
"""Characters of a detail; of longer ones the middle is left out."""

KINDS: Mapping[str, tuple[int, str]] = {
    "malformed_request": (400, "The request cannot be read"),
    "malformed_json": (400, "The body is not JSON"),
    "unknown_parameter": (400, "There is no such query parameter"),
    "invalid_cursor": (400, "The cursor is not one of this listing"),
    "confirmation_required": (400, "The deletion was not confirmed"),
    "unsupported_option": (400, "The option is not supported here"),
    "unauthenticated": (401, "A key is needed"),
    "forbidden": (403, "The key does not allow this"),
    "not_found": (404, "There is no such thing"),
    "model_not_found": (404, "There is no such model"),
    "method_not_allowed": (405, "The method is not allowed here"),
    "conflict": (409, "A fact that holds already stands in the way"),
    "graph_exists": (409, "The graph exists already"),
    "revision_unknown": (409, "The revision lies in the future"),
    "revision_not_reached": (409, "The revision lies in the future"),
    "history_compacted": (410, "The revision is not kept any more"),
    "cursor_gone": (410, "The cursor leads nowhere any more"),
    "precondition_failed": (412, "The fact or the graph has changed"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "The body is of another kind than is read here"),
    "host_refused": (421, "The service does not go by this name"),
    "invalid_request": (422, "The request holds values that cannot be used"),
    "invalid_fact": (422, "The fact cannot be stored"),
    "invalid_time": (422, "The date or interval cannot be used"),
    "invalid_question": (422, "The question cannot be used"),
    "unreadable_file": (422, "The file cannot be read to its end"),
    "idempotency_mismatch": (422, "The idempotency key belongs to another request"),
    "rate_limited": (429, "Too many requests"),
    "internal_error": (500, "Something went wrong in the service"),
    "store_corrupt": (503, "The store is damaged or too new"),
    "store_unavailable": (503, "The store cannot be used now"),
    "data_folder": (503, "The data folder cannot be used"),
    "backup": (503, "The backup cannot be made or used"),
    "graph_url": (503, "The graph server's address cannot be used"),
    "model_unavailable": (503, "The model cannot be used"),
    "not_ready": (503, "The service is not ready"),
    "too_many_asks": (503, "Too many asks wait already"),
    "too_many_jobs": (503, "Too many jobs wait already"),
}
"""Every code with its status and title; an error of the store or of dysk whose code is not here is
a 500.
"""

RETRY_SECONDS = {"store_unavailable": 1, "revision_unknown": 1, "revision_not_reached": 1}
"""After how long the same request may succeed; codes that need a person's hand are absent."""


class Problem(HTTPException):
    """A refusal that the service itself decides on. ``code`` is a key of KINDS."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(KINDS[code][0], detail, headers)
        self.code = code
        self.errors = errors
        self.extensions = extensions


def problem_response(
    scope: Scope,
    code: str,
    detail: str,
    *,
    status: int | None = None,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    extensions: Mapping[str, object] | None = None,
) -> Response:
    """The problem as a response to the request of ``scope``; ``status`` overrides the code's own.

    ASCII, so that any text can be echoed. On the routes that speak OpenAI's dialect it has the
    shape that their clients read.
    """
    usual_status, title = KINDS[code]
    status = status or usual_status
    if scope["path"].startswith(OPENAI_PATHS):
        place = next(iter(next(iter(errors), {}).values()), None)
        content: dict[str, object] = {
            "error": {
                "message": _brief(detail),
                "type": _openai_type(status),
                "param": place,
                "code": code,
            }
        }
        return Response(
            json.dumps(content), status, dict(headers or {}), media_type="application/json"
        )
    content = {
        "type": f"urn:dysk:problem:{code}",
        "title": title,
        "status": status,
        "detail": _brief(detail),
        "code": code,
        "request_id": scope["state"]["request_id"],
        "errors": [{name: _brief(text) for name, text in each.items()} for each in errors],
        **(extensions or {}),
    }
    return Response(json.dumps(content), status, dict(headers or {}), media_type=MEDIA_TYPE)


def refusal(scope: Scope, problem: Problem) -> Response:
    """A Problem as a response, for those who answer before any route does."""
    return problem_response(
        scope,
        problem.code,
        problem.detail,
        errors=problem.errors,
        headers=problem.headers,
        extensions=problem.extensions,
    )


def _openai_type(status: int) -> str:
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    return kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")


def _brief(text: str) -> str:
    """Errors quote the value at fault, which may be as long as a body."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 100]} … {text[-90:]}"


@contextmanager
def pointing_at(places: Mapping[str, str]) -> Iterator[None]:
    """Re-base the pointers of store errors from the batch of commands onto the body they came from.

    ``places`` maps a prefix in the batch to its place in the body. A pointer under none of them
    concerns what came from the path, where no pointer reaches, so it is dropped.
    """
    try:
        yield
    except GraphError as error:
        given, error.pointer = error.pointer, ""
        for prefix, place in places.items():
            if given.startswith(prefix):
                error.pointer = place + given[len(prefix) :]
        raise


def install(app: FastAPI) -> None:
    """Answer every error of the store, of dysk, of validation and of routing with a problem."""
    app.add_exception_handler(GraphError, _domain_error)
    app.add_exception_handler(DyskError, _domain_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


async def _domain_error(request: Request, error: Exception) -> Response:
    code = str(getattr(error, "code", ""))
    if code not in KINDS:
        raise error
    headers = {"Retry-After": str(RETRY_SECONDS[code])} if code in RETRY_SECONDS else None
    errors = []
    if isinstance(error, GraphError) and error.pointer:
        errors.append({"pointer": error.pointer, "detail": str(error)})
    extensions = {"fact_ids": list(error.fact_ids)} if isinstance(error, Conflict) else None
    return problem_response(
        request.scope,
        code,
        str(error),
        errors=errors,
        headers=headers,
        extensions=extensions,
    )


async def _validation_error(request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    errors = [_located(each["loc"], each["msg"]) for each in found[:MAX_ERRORS]]
    kinds = {each["type"] for each in found}
    code = kinds.pop() if len(kinds) == 1 and kinds <= set(KINDS) else "invalid_request"
    where = next(iter(errors[0].values())) or "the body"
    more = f" (and {len(found) - 1} more, see errors)" if len(found) > 1 else ""
    detail = f"{where}: {errors[0]['detail']}{more}"
    return problem_response(request.scope, code, detail, errors=errors)


def _located(location: Sequence[int | str], detail: str) -> dict[str, str]:
    place, *path = location
    if place == "body":
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
        return {"pointer": "".join(f"/{step}" for step in steps), "detail": detail}
    return {"header" if place == "header" else "parameter": str(path[0]), "detail": detail}


async def _http_error(request: Request, error: Exception) -> Response:
    if isinstance(error, Problem):
        return refusal(request.scope, error)
    raised = cast("HTTPException", error)
    headers = dict(raised.headers or {})
    if raised.status_code == 405:
        headers["Allow"] = _allowed_methods(request)
    code, detail = {
        404: ("not_found", f"there is nothing at {request.url.path}; /docs lists what there is"),
        405: (
            "method_not_allowed",
            f"{request.method} is not allowed here; {headers.get('Allow')} is",
        ),
    }.get(raised.status_code, ("malformed_request", str(raised.detail)))
    return problem_response(request.scope, code, detail, status=raised.status_code, headers=headers)


def _allowed_methods(request: Request) -> str:
    """Methods of every route at this path; the router itself names only those of the first."""
    routes: Sequence[Route] = request.app.state.routes
    path = request.scope["path"]
    methods = {m for r in routes if r.path_regex.match(path) for m in r.methods or ()}
    return ", ".join(sorted(methods or {"GET"}))  # those not ours, such as /docs, are pages
