"""What the service promises, as numbers that Prometheus reads: docs/operations.md lists them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dysk.answer import Answer
from dysk.workspace import Workspace

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_PENDING = 10_000
"""Writes that wait to be seen in the index; under more than that only a sample is timed."""


class Metrics:
    """The instruments of one service process. Thread-safe."""

    def __init__(self, workspace: Workspace, waiting_asks: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "dysk_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "dysk_request_seconds",
            "Time from a request's head to the end of its response.",
            ("route",),
            buckets=_SLOW,
            registry=self.registry,
        )
        self._writes = Histogram(
            "dysk_write_seconds",
            "Time of a write until it was durable, its wait for a thread included.",
            buckets=_QUICK,
            registry=self.registry,
        )
        self._visible = Histogram(
            "dysk_update_visible_seconds",
            "Time from a durable write until the index held it; an ask in between waits for it.",
            buckets=_QUICK,
            registry=self.registry,
        )
        self._asks = Counter(
            "dysk_asks_total",
            "Answers, by mode, by status, and by whether a fact in evidence supports them.",
            ("mode", "status", "grounded"),
            registry=self.registry,
        )
        self._stages = Histogram(
            "dysk_ask_stage_seconds",
            "Time that an ask spent in each stage; `total` leaves out the wait for its turn.",
            ("stage",),
            buckets=_SLOW,
            registry=self.registry,
        )
        self._left = Counter(
            "dysk_asks_abandoned_total",
            "Asks whose clients left before the answer.",
            registry=self.registry,
        )
        self._pending: deque[tuple[str, int, float]] = deque(maxlen=_PENDING)
        self._lock = threading.Lock()
        self._workspace = workspace
        self.registry.register(_State(workspace, waiting_asks))
        ProcessCollector(registry=self.registry)

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def wrote(self, graph: str, revision: int, seconds: float) -> None:
        """Time a write, and have ``look`` watch for it in the index."""
        self._writes.observe(seconds)
        with self._lock:
            self._pending.append((graph, revision, time.perf_counter()))

    def answered(self, answer: Answer) -> None:
        """Count an answer and time its stages."""
        grounded = "unchecked" if answer.grounded is None else str(answer.grounded).lower()
        self._asks.labels(answer.mode, answer.status, grounded).inc()
        for stage, milliseconds in answer.timings_ms.items():
            self._stages.labels(stage).observe(milliseconds / 1000)

    def abandoned(self) -> None:
        """Count an ask that nobody waits for any more."""
        self._left.inc()

    def look(self) -> bool:
        """Time the writes that the index has reached by now; True while some are on their way.

        Writes to graphs that nobody has asked yet are not waited for: they have no index.
        """
        with self._lock:
            waiting, self._pending = self._pending, deque(maxlen=_PENDING)
        now = time.perf_counter()
        marks = watermarks(self._workspace)
        missing = []
        for graph, revision, since in waiting:
            if graph in marks and marks[graph][1] >= revision:
                self._visible.observe(now - since)
            elif graph in marks:
                missing.append((graph, revision, since))
        with self._lock:
            self._pending.extendleft(reversed(missing))
        return bool(missing)


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def watermarks(workspace: Workspace) -> dict[str, tuple[int, int]]:
    """For each open graph with an index: the graph's revision, and the one that the index is at."""
    return {
        name: (graph.store.revision, mark)
        for name, graph in workspace.opened().items()
        if (mark := graph.watermark) is not None
    }


class _State(Collector):
    """Read when asked: queue, lag, fact memory."""

    def __init__(self, workspace: Workspace, waiting_asks: Callable[[], int]) -> None:
        self._workspace = workspace
        self._waiting_asks = waiting_asks

    def collect(self) -> Iterable[Metric]:
        """The gauges as they are now."""
        waiting = GaugeMetricFamily("dysk_asks_waiting", "Asks that wait for their turn.")
        waiting.add_metric((), self._waiting_asks())
        yield waiting
        lag = GaugeMetricFamily(
            "dysk_index_lag_revisions", "Revisions that the index is behind.", labels=("graph",)
        )
        revisions = GaugeMetricFamily(
            "dysk_graph_revision", "A graph's latest revision.", labels=("graph",)
        )
        for name, (revision, mark) in watermarks(self._workspace).items():
            lag.add_metric((name,), max(0, revision - mark))
            revisions.add_metric((name,), revision)
        yield lag
        yield revisions
        stats = self._workspace.fact_memory()
        if stats is not None:
            reads = CounterMetricFamily(
                "dysk_fact_memory_reads",
                "Blocks of facts that asks needed: found in the fact memory, or made.",
                labels=("outcome",),
            )
            reads.add_metric(("hit",), stats.hits)
            reads.add_metric(("miss",), stats.misses)
            yield reads
            held = GaugeMetricFamily("dysk_fact_memory_blocks", "Blocks in the fact memory.")
            held.add_metric((), stats.blocks)
            yield held
        ready = GaugeMetricFamily(
            "dysk_part_ready", "1 when the part can answer.", labels=("part",)
        )
        for part, state in self._workspace.readiness().items():
            ready.add_metric((part,), float(state == "ok"))
        yield ready
