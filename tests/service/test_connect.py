"""``Dysk.connect`` and ``--url``: a service's graph is used as one's own is."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dysk.cli import app
from dysk.client import Dysk
from dysk.errors import InvalidQuestion, ModelUnavailable, Refused, ServiceUnreachable
from dysk.remote import RemoteDysk
from graph.errors import Conflict, HistoryCompacted, InvalidTime, NotFound, PreconditionFailed
from service.app import create_app
from service.keys import KeyRing
from service.settings import Settings
from tests.service.fakes import FakeWorkspace
from tests.service.harness import on_a_port

ODD = "Ü/ber\u2028 land ?#%2F"
"""A name with what paths, streams and lines must not trip over."""


@pytest.fixture
def url(workspace: FakeWorkspace, settings: Settings) -> Iterator[str]:
    with on_a_port(create_app(workspace, settings)) as url:
        yield url


@pytest.fixture
def remote(url: str) -> Iterator[RemoteDysk]:
    with Dysk.connect(url) as remote:
        yield remote


OWN_PROCESS_ONLY = {"open", "connect", "apply", "syncer", "engine", "release", "watermark"}


def test_both_have_the_same_methods_with_the_same_arguments() -> None:
    for name, method in inspect.getmembers(Dysk, inspect.isfunction):
        if not name.startswith("_") and name not in OWN_PROCESS_ONLY:
            twin = getattr(RemoteDysk, name)
            assert inspect.signature(method) == inspect.signature(twin), name


@pytest.mark.parametrize("kind", ["own", "remote"])
def test_a_life_of_facts_is_the_same_on_either(
    workspace: FakeWorkspace, remote: RemoteDysk, kind: str
) -> None:
    own = workspace.graph()
    graph: Any = own if kind == "own" else remote
    graph.set_relation("head of government", cardinality="one")
    first = graph.add(ODD, "head of government", "Ada", valid_from="2020", aliases=["UK"])
    second = graph.add(ODD, "head of government", "Ben", valid_from="2024-07-05", source="s")
    assert second.items[0].superseded == (first.items[0].fact.id,)
    assert [change.kind for change in second.changes] == ["add", "supersede"]
    assert graph.add("X", "r", "Y", dry_run=True).dry_run
    fact_id = second.items[0].fact.id
    graph.correct(fact_id, object="Bea", attributes={"seen": [1]})
    graph.end(fact_id, "2030")
    assert [version.object for version in graph.history(fact_id)] == ["Ben", "Bea", "Bea"]
    assert [fact.object for fact in graph.timeline("UK")] == ["Ada", "Bea"]
    assert graph.timeline("Nobody") == []
    assert [fact.object for fact in graph.facts(as_of="2021")] == ["Ada"]
    assert graph.search("land")[0].subject == ODD
    assert graph.ask("Who leads land", as_of="2025").text == "Bea"
    assert [fact.id for fact in graph.facts(limit=1)] == [first.items[0].fact.id]
    lines = list(graph.export_lines())
    assert any(ODD in json.loads(line).values() for line in lines)
    assert graph.to_networkx().number_of_edges() == 2
    assert [commit.revision for commit in graph.changes(2)] == [3, 4, 5]
    following = graph.follow(3)
    assert [next(following).revision for _ in range(2)] == [4, 5]
    following.close()
    graph.merge(ODD, "Überland")
    assert graph.get(fact_id).subject == "Überland"
    assert graph.compact(3).horizon == 3
    assert graph.forget(source="s").erased == (fact_id,)
    with pytest.raises(NotFound):
        graph.get(fact_id)
    report = graph.import_lines([line.encode() for line in lines] + [b"not JSON"])
    # The text that is no JSON, and the fact that was erased: its id is not given again.
    assert (report.bad_total, len(report.bad), report.unchanged) == (2, 2, 1)


def test_refusals_are_the_errors_of_the_same_call_at_home(
    remote: RemoteDysk, workspace: FakeWorkspace
) -> None:
    fact = remote.add("A", "r", "B").items[0].fact
    assert fact is not None
    with pytest.raises(InvalidTime) as refused:
        remote.add("A", "r", "B", valid_from="2023-13")
    assert refused.value.pointer == "/facts/0/valid_from"
    with pytest.raises(PreconditionFailed):
        remote.retract(fact.id, expect_revision=99)
    remote.set_relation("r", cardinality="one")
    with pytest.raises(Conflict) as conflict:
        remote.add("A", "r", "C", on_conflict="reject")
    assert conflict.value.fact_ids == (fact.id,)
    with pytest.raises(InvalidQuestion):
        remote.ask("")
    remote.compact(2)
    with pytest.raises(HistoryCompacted):
        remote.changes(0)
    workspace.graph().failure = ModelUnavailable("no language model was found")
    with pytest.raises(ModelUnavailable, match="no language model"):
        remote.ask("Who?")


def test_a_graph_that_is_missing_can_be_made(url: str) -> None:
    with Dysk.connect(url, graph="new") as graph:
        with pytest.raises(NotFound):
            graph.facts()
        with pytest.raises(NotFound):
            graph.timeline("A")
        graph.create()
        graph.create()
        assert graph.facts() == []


def test_keys_are_sent_and_their_lack_is_told(url: str, workspace: FakeWorkspace) -> None:
    _, secret = KeyRing(workspace.path).create("me", "read")
    with Dysk.connect(url) as stranger, pytest.raises(Refused, match="keys create"):
        stranger.facts()
    with Dysk.connect(url, api_key=secret) as known:
        assert known.facts() == []
        with pytest.raises(Refused, match="scope write"):
            known.add("A", "r", "B")


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "nonsense://x", "http://[::"])
def test_where_nothing_answers_is_a_sentence(address: str) -> None:
    with pytest.raises(ServiceUnreachable), Dysk.connect(address) as nobody:
        nobody.facts()


def test_a_follower_hears_of_what_is_written_meanwhile(remote: RemoteDysk, url: str) -> None:
    heard: list[int] = []

    def follow() -> None:
        with Dysk.connect(url) as reader:
            for commit in reader.follow():
                heard.append(commit.revision)
                if commit.revision == 3:
                    return

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    for number in range(3):
        remote.add(f"Town {number}", "mayor", "Ada")
    follower.join(timeout=20)
    assert heard == [1, 2, 3]


def dysk(url: str, *arguments: str, status: int = 0) -> str:
    ran = CliRunner().invoke(app, ["--url", url, *arguments])
    assert ran.exit_code == status, (ran.output, ran.stderr)
    return ran.stdout


def test_the_command_line_works_on_a_service(url: str, tmp_path: Path) -> None:
    assert "at revision 1" in dysk(url, "add", "UK", "leader", "Ada", "--from", "2020")
    assert "Ada" in dysk(url, "timeline", "UK")
    assert "Ada" in dysk(url, "ask", "Who leads UK?")
    assert "Ada" in dysk(url, "search", "UK")
    assert "revision 1" in dysk(url, "changes")
    dysk(url, "correct", "f1", "object=Ben")
    dysk(url, "end", "f1", "--at", "2024")
    file = tmp_path / "facts.jsonl"
    dysk(url, "export", str(file))
    assert "1 added" in dysk(url, "--graph", "copy", "import", str(file))
    dysk(url, "retract", "f1")
    dysk(url, "erase", "f1")
    dysk(url, "relation", "leader", "--cardinality", "one")
    dysk(url, "timeline", "UK", status=3)
    dysk(url, "--graph", "nowhere", "timeline", "UK", status=3)


@pytest.mark.parametrize(
    "verb", [["backup", "x"], ["verify"], ["heads"], ["serve"], ["keys", "list"]]
)
def test_verbs_of_a_data_folder_refuse_a_url(url: str, verb: list[str]) -> None:
    ran = CliRunner().invoke(app, ["--url", url, *verb])
    assert ran.exit_code == 2
    assert "data folder" in ran.stderr


def test_nothing_at_the_url_is_exit_status_5() -> None:
    ran = CliRunner().invoke(app, ["--url", "http://127.0.0.1:9", "timeline", "UK"])
    assert ran.exit_code == 5
    assert "dysk serve" in ran.stderr
