"""``/metrics`` says what is so, in a form that Prometheus reads."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.metrics import Metrics
from tests.service.facts import add, fact
from tests.service.fakes import FakeWorkspace
from tests.service.harness import Http

ASK = "/v1/graphs/default/ask"


def samples(http: Http) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    response = http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def value(http: Http, name: str, **labels: str) -> float:
    return samples(http).get((name, frozenset(labels.items())), 0.0)


def test_answers_are_counted_by_what_became_of_them(http: Http) -> None:
    add(http, fact())
    http.post(ASK, {"question": "Who leads Norland?"})
    http.post(ASK, {"question": "Who leads Atlantis?"})
    http.post(ASK, {"question": "Who leads Atlantis?", "mode": "rag"})
    known = {"mode": "attention", "status": "answered", "grounded": "true"}
    assert value(http, "dysk_asks_total", **known) == 1
    unknown = {"mode": "rag", "status": "abstained", "grounded": "false"}
    assert value(http, "dysk_asks_total", **unknown) == 1
    assert value(http, "dysk_ask_stage_seconds_count", stage="total") == 3


def test_writes_and_requests_are_timed(http: Http) -> None:
    add(http, fact())
    assert value(http, "dysk_write_seconds_count") == 1
    route = "/v1/graphs/{graph}/facts"
    assert value(http, "dysk_requests_total", method="POST", route=route, status="201") == 1
    assert value(http, "dysk_request_seconds_count", route=route) == 1


def test_labels_do_not_grow_with_what_is_asked_for(http: Http) -> None:
    for number in range(5):
        http.get(f"/nowhere/{number}")
        http.request(f"BREW{number}", "/nowhere")
    assert value(http, "dysk_requests_total", method="GET", route="none", status="404") == 5
    assert value(http, "dysk_requests_total", method="other", route="none", status="404") == 5


def test_parts_that_fail_are_shown(http: Http, workspace: FakeWorkspace) -> None:
    assert value(http, "dysk_part_ready", part="model") == 1
    workspace.parts["model"] = "no model was found"
    assert value(http, "dysk_part_ready", part="model") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the process is read from /proc")
def test_the_memory_of_the_process_is_told(http: Http) -> None:
    status = Path("/proc/self/status").read_text()
    (kilobytes,) = re.findall(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
    told = value(http, "process_resident_memory_bytes")
    assert abs(told - 1024 * int(kilobytes)) < 64 * 2**20


class Indexed:
    """A graph whose index is where the test puts it."""

    def __init__(self) -> None:
        self.watermark: int | None = 0
        self.store = self
        self.revision = 7


def test_an_update_is_timed_until_the_index_has_it(workspace: FakeWorkspace) -> None:
    graph = Indexed()
    workspace.opened = lambda: {"default": graph}  # type: ignore[method-assign,assignment,dict-item,return-value]
    metrics = Metrics(workspace, lambda: 3)

    def seen() -> float | None:
        return metrics.registry.get_sample_value("dysk_update_visible_seconds_count")

    metrics.wrote("default", 5, 0.001)
    metrics.wrote("default", 7, 0.001)
    assert metrics.look()
    assert seen() == 0
    graph.watermark = 5
    assert metrics.look()
    assert seen() == 1
    lag = metrics.registry.get_sample_value("dysk_index_lag_revisions", {"graph": "default"})
    assert lag == 2
    graph.watermark = 7
    assert not metrics.look()
    assert seen() == 2
    assert metrics.registry.get_sample_value("dysk_asks_waiting") == 3


def test_pages_and_dashboard_name_metrics_that_exist(http: Http) -> None:
    known = {name for name, _ in samples(http)} | {
        "dysk_index_lag_revisions",  # these come with the first index and model
        "dysk_graph_revision",
        "dysk_fact_memory_reads_total",
        "dysk_fact_memory_blocks",
        "dysk_asks_total",
        "dysk_requests_total",
        "dysk_request_seconds",
        "dysk_ask_stage_seconds",
        "dysk_ask_stage_seconds_bucket",
    }
    known |= {name.removesuffix("_count") for name in known}
    docs = Path(__file__).parents[2] / "docs"
    board = (docs / "grafana.json").read_text()
    assert json.loads(board)["panels"]
    page = (docs / "operations.md").read_text()
    named = set(re.findall(r"\bdysk_[a-z_]+\b(?!\.)", board + page))
    assert len(named) > 10
    assert named <= known, named - known


def test_writes_to_a_graph_without_an_index_are_not_waited_for(workspace: FakeWorkspace) -> None:
    workspace.graph()
    metrics = Metrics(workspace, lambda: 0)
    metrics.wrote("default", 1, 0.001)
    assert not metrics.look()
