"""Spans for OpenTelemetry, where they are wanted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from dysk.answer import Answer
from service import tracing
from service.app import create_app
from service.settings import Settings
from tests.service.facts import FACTS, fact
from tests.service.fakes import FakeGraph, FakeWorkspace
from tests.service.harness import Http

ASK = "/v1/graphs/default/ask"
STAGES = {"time": 1.0, "coarse": 20.0, "prefill": 200.0, "decode": 300.0, "total": 540.0}
PARENT = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(tracing, "_exporter", lambda: exporter)
    return exporter


@pytest.fixture
def http(
    sent: InMemorySpanExporter, workspace: FakeWorkspace, settings: Settings
) -> Iterator[Http]:
    with Http(create_app(workspace, settings)) as http:
        yield http


def spans(http: Http, sent: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    """What was sent until now, by name."""
    http.app.state.service.traces._provider.force_flush()
    return {span.name: span for span in sent.get_finished_spans()}


def test_a_request_is_a_span_named_by_its_route(http: Http, sent: InMemorySpanExporter) -> None:
    parent = f"00-{PARENT}-b7ad6b7169203331-01"
    headers = {"traceparent": parent, "X-Request-ID": "r1"}
    http.post(FACTS, {"facts": [fact()]}, headers=headers)
    span = spans(http, sent)["POST /v1/graphs/{graph}/facts"]
    assert span.kind is SpanKind.SERVER
    assert span.attributes is not None
    assert dict(span.attributes) == {
        "http.request.method": "POST",
        "http.route": "/v1/graphs/{graph}/facts",
        "http.response.status_code": 201,
        "dysk.request_id": "r1",
    }
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == PARENT
    assert span.resource.attributes["service.name"] == "dysk"


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_the_stages_of_an_ask_stand_in_its_span_one_after_another(
    http: Http, sent: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, accept: str
) -> None:
    answer = Answer(
        text="Ada Quill",
        status="answered",
        mode="attention",
        as_of="2026",
        revision=7,
        evidence=(),
        grounded=True,
        timings_ms=STAGES,
    )
    monkeypatch.setattr(FakeGraph, "ask", lambda *_, **__: answer)
    http.post(ASK, {"question": "Who leads Norland?"}, headers={"Accept": accept})
    found = spans(http, sent)
    ask, request = found["ask"], found["POST /v1/graphs/{graph}/ask"]
    assert ask.parent is not None
    assert request.context is not None
    assert ask.parent.span_id == request.context.span_id
    assert ask.attributes is not None
    assert ask.attributes["dysk.status"] == "answered"
    assert ask.attributes["dysk.grounded"] == "true"
    assert ask.start_time is not None
    assert ask.end_time is not None
    assert ask.end_time - ask.start_time == 540e6
    at = ask.start_time
    for stage, milliseconds in STAGES.items():
        if stage == "total":
            continue
        span = found[stage]
        assert span.parent == ask.context
        assert (span.start_time, span.end_time) == (at, at + int(milliseconds * 1e6))
        at = span.end_time
    assert at <= ask.end_time


def test_a_failure_is_told_and_nothing_of_a_question_or_a_fact(
    http: Http, sent: InMemorySpanExporter, workspace: FakeWorkspace
) -> None:
    workspace.graph().failure = RuntimeError("boom")
    http.post(FACTS, {"facts": [fact("Secretville")]})
    http.get("/v1/graphs/default/entities/Secretville")
    http.post(ASK, {"question": "Who leads Secretville?"})
    failed = spans(http, sent)["POST /v1/graphs/{graph}/ask"]
    assert failed.status.status_code is StatusCode.ERROR
    told = [span.to_json() for span in sent.get_finished_spans()]
    assert len(told) == 3
    assert "Secretville" not in "".join(told)


def test_without_the_variables_there_are_no_spans_and_nothing_is_loaded(
    workspace: FakeWorkspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    assert create_app(workspace, settings).state.service.traces is None
    code = "import sys, service.app; print('opentelemetry.sdk' in sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_where_the_extra_is_missing_the_log_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    assert tracing.from_environment() is None
    assert "pip install 'dysk[otel]'" in caplog.text


def test_the_exporter_is_the_one_of_the_standard_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    traces = tracing.from_environment()
    assert traces is not None
    (processor,) = traces._provider._active_span_processor._span_processors
    exporter = processor.span_exporter  # type: ignore[attr-defined]
    assert exporter._endpoint == "http://127.0.0.1:9/v1/traces"
    traces.close()
