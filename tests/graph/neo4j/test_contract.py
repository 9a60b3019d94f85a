"""The contract of every store, over Bolt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from graph.neo4j import Neo4jServer, Neo4jStore
from tests.contracts.store import StoreContract
from tests.contracts.store_fixtures import MakeStore


class TestNeo4jStore(StoreContract):
    @pytest.fixture
    def make_store(self, server: Neo4jServer, graph_name: str) -> Iterator[MakeStore]:
        made: list[str] = []

        def make(clock: Callable[[], datetime]) -> Neo4jStore:
            made.append(f"{graph_name}.{len(made)}")
            return server.graph(made[-1], clock)

        yield make
        for name in made:
            server.delete(name)
