from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from benchmarks.schema import BenchmarkError
from benchmarks.speed.write import Writes, measure, table


class TinyService:
    """Answers as the service does: keeps what it is told, or forgets the last fact."""

    def __init__(self, *, forgetful: bool = False) -> None:
        self.facts: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.forgetful = forgetful

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if request.url.path.endswith("/facts"):
            self.facts += body["facts"]
            return httpx.Response(201, json={"revision": len(self.facts)})
        self.asked.append(body)
        known = self.facts[:-1] if self.forgetful else self.facts
        fact = next((f for f in known if f["subject"] in body["question"]), None)
        return httpx.Response(
            200,
            json={
                "answer": f"It is {fact['object'].upper()}." if fact else "Nothing is known.",
                "evidence": [{"object": fact["object"]}] if fact else [],
            },
        )


def client(service: Any) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(service), base_url="http://service")


def test_each_fact_is_written_alone_and_the_last_is_asked_for() -> None:
    service = TinyService()
    steps: list[None] = []
    with client(service) as http:
        result = measure(http, 5, progress=lambda: steps.append(None))
    assert len({fact["subject"] for fact in service.facts}) == 5
    assert len({fact["object"] for fact in service.facts}) == 5
    assert len(steps) == result.writes == 5
    assert result.expected == result.evidence_first == service.facts[-1]["object"]
    assert service.facts[-1]["subject"] in result.question
    assert result.answered
    assert 0 < result.latency_ms.p50 <= result.latency_ms.p95


def test_the_ask_waits_for_the_revision_of_the_last_write() -> None:
    service = TinyService()
    with client(service) as http:
        measure(http, 3)
    assert [asked["min_revision"] for asked in service.asked] == [3]


def test_a_service_that_forgot_the_last_write_is_found_out() -> None:
    with client(TinyService(forgetful=True)) as http:
        result = measure(http, 3)
    assert not result.answered
    assert result.evidence_first is None
    assert "did NOT know the last one" in table(result)


def test_a_refused_write_stops_the_measurement_with_the_answer() -> None:
    with (
        client(lambda request: httpx.Response(507, text="disk full")) as http,
        pytest.raises(BenchmarkError, match="answered 507: disk full"),
    ):
        measure(http, 3)


def test_no_write_is_no_measurement() -> None:
    with client(TinyService()) as http, pytest.raises(BenchmarkError, match="writes nothing"):
        measure(http, 0)


def test_the_result_reads_as_two_sentences() -> None:
    with client(TinyService()) as http:
        result: Writes = measure(http, 1)
    first, second = table(result).splitlines()
    assert first.startswith("1 single-fact writes over HTTP: p50 ")
    assert second.startswith("the next ask knew the last one: What is the location of ")
