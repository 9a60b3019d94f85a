"""Graphs on a Neo4j server instead of in the data folder: which one, and who may use it.

The address is a setting; user and password come from the environment only, where they do not show
in lists of processes or in logs: ``NEO4J_PASSWORD``, and ``NEO4J_USER`` and ``NEO4J_DATABASE`` if
they are not the server's defaults.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dysk.errors import InvalidGraphUrl
from graph import FactStore, StoreUnavailable

if TYPE_CHECKING:
    from graph.neo4j import Neo4jServer

SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
"""What the driver understands: +s encrypts, neo4j asks a cluster which of its servers to use."""


class GraphServer:
    """The server at ``url``; it is connected to when it is first needed. Thread-safe."""

    def __init__(self, url: str) -> None:
        """Raises InvalidGraphUrl when the address or the environment cannot be used."""
        self._url = url
        self._user = os.environ.get("NEO4J_USER", "neo4j")
        self._password = os.environ.get("NEO4J_PASSWORD", "")
        self._database = os.environ.get("NEO4J_DATABASE") or None
        self._server: Neo4jServer | None = None
        self._lock = threading.Lock()
        parts = urlsplit(url)
        if parts.username or parts.password:
            raise InvalidGraphUrl(
                "the graph URL shows a user or a password, which others can read: take it out, and "
                "set NEO4J_USER and NEO4J_PASSWORD in the environment"
            )
        if parts.scheme not in SCHEMES or not parts.hostname:
            raise InvalidGraphUrl(f"{url!r} is no address of a graph server: bolt://host:7687 is")
        if not self._password:
            raise InvalidGraphUrl(f"{url} asks for a password: set NEO4J_PASSWORD")

    def graphs(self) -> list[str]:
        """Names of the graphs that are there, sorted. Raises StoreUnavailable."""
        return self._connected().graphs()

    def store(self, name: str) -> FactStore:
        """A graph, made when missing. Raises StoreUnavailable, StoreCorrupt."""
        return self._connected().graph(name)

    def delete(self, name: str) -> None:
        """Delete a graph and all in it. Raises StoreUnavailable."""
        self._connected().delete(name)

    def close(self) -> None:
        """Close the connections. Safe to call twice."""
        with self._lock:
            if self._server is not None:
                self._server.close()
                self._server = None

    def _connected(self) -> Neo4jServer:
        with self._lock:
            if self._server is None:
                try:
                    from graph.neo4j import Neo4jServer
                except ModuleNotFoundError as error:
                    raise StoreUnavailable(
                        "the driver of Neo4j is not installed: pip install 'dysk[neo4j]'"
                    ) from error
                self._server = Neo4jServer(
                    self._url, self._user, self._password, database=self._database
                )
            return self._server
