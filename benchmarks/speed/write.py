"""A durable write through the real service: a process of its own, HTTP over loopback, one fact
each.

The last fact written is then asked about: the time of a write means nothing if the next answer
does not know of it.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx

from benchmarks.results import Percentiles, percentiles
from benchmarks.schema import BenchmarkError
from benchmarks.speed.names import invented_words

_FACTS = "/v1/graphs/default/facts"
_ASK = "/v1/graphs/default/ask"
_PATIENCE = 300.0
"""Seconds for the service to load its models."""


@dataclass(frozen=True, slots=True)
class Writes:
    """Milliseconds of a single-fact write, and whether the ask right after the last one knew of
    it.
    """

    writes: int
    latency_ms: Percentiles
    question: str
    expected: str
    answer: str
    answered: bool
    evidence_first: str | None


def measure(
    client: httpx.Client, count: int, *, seed: int = 0, progress: Callable[[], None] | None = None
) -> Writes:
    """Write ``count`` invented facts one by one over one connection, then ask for the last.

    Raises BenchmarkError when the service refuses a write or the ask, or ``count`` is below 1.
    """
    if count < 1:
        raise BenchmarkError(f"--count {count} writes nothing; give a number from 1 up")
    words = invented_words(seed)
    times: list[float] = []
    for _ in range(count):
        subject, place = f"{next(words)} Lighthouse", next(words)
        fact = {"subject": subject, "relation": "location", "object": place}
        began = time.perf_counter()
        response = client.post(_FACTS, json={"facts": [fact]})
        times.append((time.perf_counter() - began) * 1000)
        revision = _checked(response)["revision"]
        if progress:
            progress()
    question = f"What is the location of {subject}?"
    answer = _checked(client.post(_ASK, json={"question": question, "min_revision": revision}))
    evidence = answer["evidence"]
    latency = percentiles(times)
    if latency is None:
        raise AssertionError("times are as many as writes")
    return Writes(
        writes=count,
        latency_ms=latency,
        question=question,
        expected=place,
        answer=answer["answer"],
        answered=place.lower() in answer["answer"].lower(),
        evidence_first=evidence[0]["object"] if evidence else None,
    )


@contextmanager
def served(data: Path, options: tuple[str, ...] = ()) -> Iterator[httpx.Client]:
    """A client of a service started for the occasion, ready to answer; both end with the block.

    ``options`` stand before the verb. Raises BenchmarkError with the service's last words if it
    does not come up.
    """
    port = _free_port()
    command = [sys.executable, "-m", "dysk", "--data", str(data), *options]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603 (our own command line)
            [*command, "serve", "--host", "127.0.0.1", "--port", str(port)],
            stdout=log,
            stderr=log,
        )
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False
            ) as client:
                _until_ready(client, process, log)
                yield client
        finally:
            process.terminate()
            process.wait(timeout=30)


def table(result: Writes) -> str:
    """The result as text, ending with a newline."""
    latency = result.latency_ms
    verdict = "knew" if result.answered else "did NOT know"
    return (
        f"{result.writes} single-fact writes over HTTP: p50 {latency.p50:.2f} ms, "
        f"p95 {latency.p95:.2f} ms\n"
        f"the next ask {verdict} the last one: {result.question} {result.answer!r}\n"
    )


def _until_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    state = "it does not answer"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            response = client.get("/ready")
        except httpx.TransportError:
            pass
        else:
            if response.is_success:
                return
            state = response.text
        time.sleep(0.1)
    log.seek(0)
    words = log.read().decode(errors="replace").strip()[-2000:]
    raise BenchmarkError(f"the service did not become ready: {state}. Its log ends:\n{words}")


def _checked(response: httpx.Response) -> dict[str, Any]:
    if not response.is_success:
        raise BenchmarkError(f"the service answered {response.status_code}: {response.text}")
    record: dict[str, Any] = response.json()
    return record


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
