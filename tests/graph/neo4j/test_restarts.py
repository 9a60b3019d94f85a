"""A server that is killed and started again while others write to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from graph import Add, FactStore, StoreUnavailable
from graph.neo4j import Neo4jServer
from tests.graph.neo4j.bolt_server import DATABASE, BoltServer

SIZE = 3


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[BoltServer]:
    """A server of the test's own, whatever NEO4J_URI says: it is killed."""
    server = BoltServer(tmp_path)
    server.start()
    yield server
    server.stop()


def connect(server: BoltServer, patience: float) -> Neo4jServer:
    return Neo4jServer(
        server.uri, server.user, server.password, database=DATABASE, patience=patience
    )


class Writer(threading.Thread):
    """Writes batches of SIZE facts for as long as it may, and notes how each ended."""

    def __init__(self, store: FactStore, name: str) -> None:
        super().__init__()
        self.acknowledged: dict[str, int] = {}
        self.refused: list[str] = []
        self.enough = threading.Event()
        self._store = store
        self._name = name

    def run(self) -> None:
        number = 0
        while not self.enough.is_set():
            relation = f"{self._name} {number}"
            batch = [Add("Ruritania", relation, f"word {part}") for part in range(SIZE)]
            try:
                self.acknowledged[relation] = self._store.apply(batch).revision
            except StoreUnavailable as error:
                assert "cannot be reached" in str(error) or "unknown whether" in str(error)
                self.refused.append(relation)
            number += 1


@pytest.mark.slow
@pytest.mark.parametrize("patience", [60.0, 0.5], ids=["patient", "impatient"])
def test_a_kill_loses_nothing_and_leaves_nothing_half(mortal: BoltServer, patience: float) -> None:
    with connect(mortal, patience) as server:
        store = server.graph("killed")
        writers = [Writer(store, name) for name in ("a", "b")]
        for writer in writers:
            writer.start()
        for _ in range(2):
            before = store.revision
            while not store.wait(before + 4, 1.0):
                pass
            mortal.kill()
            time.sleep(1.0)
            mortal.start()
        for writer in writers:
            writer.enough.set()
            writer.join()

    with connect(mortal, 30.0) as server:
        store = server.graph("killed")
        commits = store.changes()
        assert [commit.revision for commit in commits] == list(range(1, store.revision + 1))
        stored = {}
        for commit in commits:
            facts = [change.after for change in commit.changes]
            assert [fact.object for fact in facts if fact] == [f"word {n}" for n in range(SIZE)]
            assert len({fact.relation for fact in facts if fact}) == 1
            assert facts[0] is not None
            assert facts[0].relation not in stored, "a batch was stored twice"
            stored[facts[0].relation] = commit.revision
        assert store.snapshot().count() == SIZE * len(commits)
        acknowledged = writers[0].acknowledged | writers[1].acknowledged
        assert acknowledged.items() <= stored.items()
        refused = writers[0].refused + writers[1].refused
        assert set(stored) <= {*acknowledged, *refused}
        assert len(acknowledged) > 8
        assert bool(refused) is (patience < 1)
