"""One server for the session: that of NEO4J_URI if it is set, else one that is started here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from graph.neo4j import Neo4jServer
from tests.graph.neo4j.bolt_server import DATABASE, BoltServer


@dataclass(frozen=True)
class Address:
    """Where a server is, and who may use it."""

    uri: str
    user: str
    password: str
    database: str | None

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to use it."""
        database = {} if self.database is None else {"NEO4J_DATABASE": self.database}
        return os.environ | {"NEO4J_USER": self.user, "NEO4J_PASSWORD": self.password} | database

    def connect(self, uri: str | None = None, *, patience: float = 30.0) -> Neo4jServer:
        return Neo4jServer(
            uri or self.uri, self.user, self.password, database=self.database, patience=patience
        )


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    uri = os.environ.get("NEO4J_URI")
    if uri:
        user, password = os.environ.get("NEO4J_USER", "neo4j"), os.environ["NEO4J_PASSWORD"]
        yield Address(uri, user, password, os.environ.get("NEO4J_DATABASE"))
        return
    server = BoltServer(tmp_path_factory.mktemp("bolt"))
    server.start()
    try:
        yield Address(server.uri, server.user, server.password, DATABASE)
    finally:
        server.stop()


@pytest.fixture(scope="session")
def server(address: Address) -> Iterator[Neo4jServer]:
    with address.connect() as server:
        yield server


_numbers = count()


@pytest.fixture
def graph_name(server: Neo4jServer) -> Iterator[str]:
    """The name of a graph that is not there yet, and is deleted after the test."""
    name = f"test-{os.getpid()}-{next(_numbers)}"
    yield name
    server.delete(name)
