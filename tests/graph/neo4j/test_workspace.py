"""dysk with its graphs on a server: the workspace, the command line and the service."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dysk.cli import app
from dysk.workspace import Workspace
from graph import Add, NotFound
from graph.neo4j import Neo4jServer
from service.settings import read
from tests.graph.neo4j.conftest import Address


@pytest.fixture(autouse=True)
def environment(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NEO4J_USER", "NEO4J_PASSWORD", "NEO4J_DATABASE"):
        if name in address.environment:
            monkeypatch.setenv(name, address.environment[name])


@pytest.fixture
def name(server: Neo4jServer) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex}"
    yield name
    server.delete(name)


def test_graphs_are_made_found_and_deleted_on_the_server(
    address: Address, tmp_path: Path, name: str
) -> None:
    with Workspace(tmp_path / "one", graph_url=address.uri) as workspace:
        with pytest.raises(NotFound, match="create it first"):
            workspace.graph(name)
        workspace.graph(name, create=True).add("UK", "capital", "London")
        assert name in workspace.graphs()
    with Workspace(tmp_path / "two", graph_url=address.uri) as workspace:
        assert [fact.object for fact in workspace.graph(name).facts()] == ["London"]
        workspace.delete(name)
        assert name not in workspace.graphs()
        with pytest.raises(NotFound):
            workspace.graph(name)
    assert not list(tmp_path.glob("**/graph.db"))


def test_the_verbs_work_on_the_server(address: Address, tmp_path: Path, name: str) -> None:
    def dysk(*words: str) -> tuple[int, str]:
        options = ["--data", str(tmp_path), "--graph-url", address.uri, "--graph", name]
        result = CliRunner().invoke(app, [*options, *words])
        return result.exit_code, result.output

    assert dysk("add", "UK", "capital", "London")[0] == 0
    status, timeline = dysk("timeline", "UK")
    assert (status, "London" in timeline) == (0, True)
    status, refused = dysk("backup", str(tmp_path / "copy"))
    assert (status, "neo4j-admin" in refused) == (2, True)


def test_a_strict_import_is_tried_on_a_copy_of_what_the_server_has(
    address: Address, tmp_path: Path, name: str, server: Neo4jServer
) -> None:
    store = server.graph(name)
    store.apply([Add("UK", "capital", "London", id="c")])
    file = tmp_path / "facts.jsonl"
    lines = [
        {"subject": "France", "relation": "capital", "object": "Paris"},
        {"subject": "UK", "relation": "capital", "object": "Leeds", "id": "c"},
    ]
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    options = ["--data", str(tmp_path), "--graph-url", address.uri, "--graph", name]
    result = CliRunner().invoke(app, [*options, "import", str(file), "--strict"])
    assert (result.exit_code, "line 2" in result.output) == (2, True)
    assert store.revision == 1


def test_a_process_is_told_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYSK_GRAPH_URL", "bolt://neo4j:7687")
    assert read().graph_url == "bolt://neo4j:7687"
