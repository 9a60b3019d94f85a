"""What happens to every request before any route sees it: an id, a log line, a limit on its body.

Pure ASGI, so that streams pass through untouched.
"""

from __future__ import annotations

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import Problem, problem_response

access_log = logging.getLogger("dysk.access")
error_log = logging.getLogger("dysk.service")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_CONTENT_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)


class RequestLog:
    """Give each request an id, log one line for it, and turn an unexpected exception into a plain
    500.

    The id is the caller's ``X-Request-ID`` where that is safe to log, else a fresh one; the
    response carries it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

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
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            error_log.exception("request %s failed", request_id)
            if status:
                raise  # the response has begun: only cutting the connection tells the client
            response = problem_response(
                "internal_error",
                f"the service failed; its log has the reason under request id {request_id}",
                request_id,
            )
            await response(scope, receive, send_with_id)
        finally:
            access_log.info(
                "%s %s %d %.1f ms %s",
                scope["method"],
                ascii(scope["path"])[1:-1],
                status,
                1000 * (time.perf_counter() - started),
                request_id,
            )


class BodyLimit:
    """Refuse bodies over ``limit`` bytes, by their declared length or, when streamed, once they
    pass it.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope).getlist("content-length"))
        if refusal is not None:
            response = problem_response(
                refusal.code, refusal.detail, scope["state"]["request_id"], headers=refusal.headers
            )
            await response(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limit:
                raise self._too_large()
            return message

        await self.app(scope, counted, send)

    def _refusal(self, lengths: list[str]) -> Problem | None:
        if not lengths:
            return None
        if len(lengths) > 1 or not _CONTENT_LENGTH.fullmatch(lengths[0]):
            return Problem("malformed_request", "Content-Length must be one whole number")
        return self._too_large() if int(lengths[0]) > self.limit else None

    def _too_large(self) -> Problem:
        # The rest of the body is not read, so the connection cannot be used again.
        return Problem(
            "body_too_large",
            f"a body may have {self.limit} bytes; send the facts in smaller batches",
            headers={"Connection": "close"},
        )


def _accepted(given: list[str]) -> str | None:
    return given[0] if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]) else None
