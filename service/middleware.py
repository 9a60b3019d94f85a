"""What happens to every request before any route sees it: an id, a log line, safe headers, a limit
on its body, and HEAD.

Pure ASGI, so that streams pass through untouched.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import Problem, problem_response, refusal

access_log = logging.getLogger("dysk.access")
error_log = logging.getLogger("dysk.service")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_CONTENT_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)

SAFE_HEADERS = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Sent with every response that does not say otherwise: no browser may run, frame or keep it."""


class RequestLog:
    """Give each request an id, log and count it, and turn an unexpected exception into a plain 500.

    The id is the caller's ``X-Request-ID`` where that is safe to log, else a fresh one; the
    response carries it. ``requests`` is told of method, route, status and seconds.
    """

    def __init__(self, app: ASGIApp, requests: Callable[[str, str, int, float], None]) -> None:
        self.app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _accepted(Headers(scope=scope).getlist("x-request-id")) or uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            error_log.exception("request %s failed", request_id)
            if status:
                raise  # the response has begun: only cutting the connection tells the client
            response = problem_response(
                scope,
                "internal_error",
                f"the service failed; its log has the reason under request id {request_id}",
            )
            await response(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", "none")
            self._requests(scope["method"], route, status, seconds)
            caller = scope["state"].get("caller")
            access_log.info(
                "%s %s %d %.1f ms %s",
                scope["method"],
                ascii(scope["path"])[1:-1],
                status,
                1000 * seconds,
                request_id,
                extra={
                    "method": scope["method"],
                    "path": scope["path"],
                    "route": route,
                    "status": status,
                    "duration_ms": round(1000 * seconds, 1),
                    "request_id": request_id,
                    "caller": "" if caller is None else caller.name,
                },
            )


class Head:
    """Answer HEAD as GET is answered, without the body: only its beginning is ever made."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        ended = False

        async def send_no_body(message: Message) -> None:
            nonlocal ended
            if ended:
                raise OSError("nobody reads the body of a HEAD")
            if message["type"] == "http.response.body":
                ended = True
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        try:
            # The state is shared, so that the log sees the caller.
            await self.app({**scope, "method": "GET"}, receive, send_no_body)
        except ClientDisconnect:
            if not ended:
                raise


class BodyLimit:
    """Refuse bodies over ``limit`` bytes, by their declared length or, when streamed, once they
    pass it. Files to import may have ``import_limit``.
    """

    def __init__(self, app: ASGIApp, limit: int, import_limit: int) -> None:
        self.app = app
        self._limit = limit
        self._import_limit = import_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        imports = scope["method"] == "POST" and scope["path"].endswith("/imports")
        limit = self._import_limit if imports else self._limit
        refused = _refused(Headers(scope=scope).getlist("content-length"), limit)
        if refused is not None:
            await refusal(scope, refused)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _too_large(limit)
            return message

        await self.app(scope, counted, send)


def _refused(lengths: list[str], limit: int) -> Problem | None:
    if not lengths:
        return None
    if len(lengths) > 1 or not _CONTENT_LENGTH.fullmatch(lengths[0]):
        return Problem("malformed_request", "Content-Length must be one whole number")
    return _too_large(limit) if int(lengths[0]) > limit else None


def _too_large(limit: int) -> Problem:
    # The rest of the body is not read, so the connection cannot be used again.
    return Problem(
        "body_too_large",
        f"a body may have {limit} bytes; send the facts in smaller batches, or as an import",
        headers={"Connection": "close"},
    )


def _accepted(given: list[str]) -> str | None:
    return given[0] if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]) else None
