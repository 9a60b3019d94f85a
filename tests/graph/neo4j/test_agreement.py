"""Random histories: the Neo4j store answers every read as the memory store does."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from graph import FactStore
from graph.neo4j import Neo4jServer
from tests.graph.test_stores_agree import StoresAgree


class Neo4jAgrees(StoresAgree):
    server: ClassVar[Neo4jServer]

    def __init__(self) -> None:
        self.name = f"random-{uuid.uuid4().hex}"
        super().__init__()

    def open(self) -> FactStore:
        return self.server.graph(self.name, self.clock)

    def discard(self) -> None:
        self.server.delete(self.name)


@pytest.mark.slow
def test_random_histories_read_as_in_memory(server: Neo4jServer) -> None:
    Neo4jAgrees.server = server
    short = settings(StoresAgree.TestCase.settings, max_examples=6)
    run_state_machine_as_test(Neo4jAgrees, settings=short)
