"""Optional OpenTelemetry: a span for each request, and for each ask its stages.

On where the extra ``otel`` is installed and OpenTelemetry's own variables say where spans go, such
as ``OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318``. No span carries a question, a fact, a path
or a key.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dysk.answer import Answer

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

log = logging.getLogger("dysk.service")

_WISHES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_SERVER_ERROR = 500


class Traces:
    """The spans of one service process. Made only where they are wanted."""

    def __init__(self, exporter: SpanExporter) -> None:
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        named = os.environ.get("OTEL_SERVICE_NAME", "dysk")
        self._provider: TracerProvider = TracerProvider(
            resource=Resource.create({SERVICE_NAME: named}), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("dysk")

    def request(self, scope: Scope) -> AbstractContextManager[Span]:
        """A span around a request, the child of the one that its ``traceparent`` names."""
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        headers = Headers(scope=scope)
        return self._tracer.start_as_current_span(
            scope["method"],
            context=extract(dict(headers)),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": scope["method"]},
        )

    def answered(self, answer: Answer) -> None:
        """A span for an ask that ends now, and one for each of its stages.

        A stage may come several times in an ask; its span has all of its time, and the spans stand
        one after another.
        """
        end = time.time_ns()
        spent = dict(answer.timings_ms)
        at = end - _nanoseconds(spent.pop("total", sum(spent.values())))
        with self._tracer.start_as_current_span(
            "ask",
            start_time=at,
            end_on_exit=False,
            attributes={
                "dysk.mode": answer.mode,
                "dysk.status": answer.status,
                "dysk.grounded": str(answer.grounded).lower(),
                "dysk.revision": answer.revision,
                "dysk.evidence": len(answer.evidence),
            },
        ) as ask:
            for stage, milliseconds in spent.items():
                span = self._tracer.start_span(stage, start_time=at)
                at += _nanoseconds(milliseconds)
                span.end(at)
        ask.end(end)

    def close(self) -> None:
        """Send what waits, and stop."""
        self._provider.shutdown()


class Traced:
    """Middleware that puts a span around each request; it has to be the outermost."""

    def __init__(self, app: ASGIApp, traces: Traces) -> None:
        self.app = app
        self._traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        from opentelemetry.trace import StatusCode

        with self._traces.request(scope) as span:

            async def send_and_note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= _SERVER_ERROR:
                        span.set_status(StatusCode.ERROR)
                await send(message)

            try:
                await self.app(scope, receive, send_and_note)
            finally:
                route = getattr(scope.get("route"), "path", "none")
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)
                span.set_attribute("dysk.request_id", scope.get("state", {}).get("request_id", ""))


def from_environment() -> Traces | None:
    """Spans as the environment wants them; None where it does not, or the extra is missing."""
    if not any(os.environ.get(name) for name in _WISHES):
        return None
    try:
        return Traces(_exporter())
    except ImportError:
        log.warning("spans are wanted but cannot be sent: pip install 'dysk[otel]'")
        return None


def _exporter() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()  # which reads the standard variables


def _nanoseconds(milliseconds: float) -> int:
    return int(1e6 * milliseconds)
