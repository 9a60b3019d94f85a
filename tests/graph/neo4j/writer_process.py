"""A process that writes batches of two facts to a graph and prints the revision of each.

Run as ``python -m tests.graph.neo4j.writer_process URI GRAPH NAME COUNT``, with NEO4J_USER and
NEO4J_PASSWORD in the environment.
"""

from __future__ import annotations

import os
import sys

from graph import Add
from graph.neo4j import Neo4jServer


def main(uri: str, graph: str, name: str, count: int) -> None:
    user, password = os.environ["NEO4J_USER"], os.environ["NEO4J_PASSWORD"]
    database = os.environ.get("NEO4J_DATABASE")
    with Neo4jServer(uri, user, password, database=database) as server:
        store = server.graph(graph)
        for number in range(count):
            batch = [Add(name, f"said in {number}", f"{name} {number} {part}") for part in "xy"]
            print(store.apply(batch).revision, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
