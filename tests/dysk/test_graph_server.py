"""The address of a graph server, and what the environment has to say; no server is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dysk.errors import InvalidGraphUrl
from dysk.graph_server import GraphServer
from dysk.workspace import Workspace


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEO4J_PASSWORD", "a long secret")


def test_nothing_is_connected_to_until_it_is_needed(tmp_path: Path) -> None:
    with Workspace(tmp_path, graph_url="bolt://127.0.0.1:1") as workspace:
        assert workspace.path == tmp_path


@pytest.mark.parametrize("url", ["world.db", "http://127.0.0.1:7474", "bolt://", "bolt:/x"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidGraphUrl, match="bolt://host:7687 is"):
        GraphServer(url)


@pytest.mark.parametrize("user", ["neo4j:secret", "neo4j", ":secret"])
def test_an_address_that_shows_a_password_is_refused_without_repeating_it(user: str) -> None:
    with pytest.raises(InvalidGraphUrl, match="NEO4J_PASSWORD") as refused:
        GraphServer(f"bolt://{user}@127.0.0.1:7687")
    assert "secret" not in str(refused.value)


def test_a_missing_password_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEO4J_PASSWORD")
    with pytest.raises(InvalidGraphUrl, match="set NEO4J_PASSWORD"):
        GraphServer("bolt://127.0.0.1:7687")
