"""Several writers at once, in threads with connections of their own and in processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from graph import (
    Add,
    Correct,
    FactStore,
    PreconditionFailed,
    Relation,
    SetAliases,
    SetRelation,
)
from graph.neo4j import Neo4jServer
from tests.graph.neo4j.conftest import Address

WRITERS = 4


@pytest.fixture
def store(server: Neo4jServer, graph_name: str) -> FactStore:
    return server.graph(graph_name)


@pytest.fixture
def at_once(
    address: Address, store: FactStore, graph_name: str
) -> Callable[[Callable[[FactStore, int], object]], None]:
    """Runs something in several threads, each with a connection of its own, from one moment on."""

    def run(work: Callable[[FactStore, int], object]) -> None:
        start = threading.Barrier(WRITERS)

        def writer(number: int) -> None:
            with address.connect(patience=120.0) as server:
                own = server.graph(graph_name)
                start.wait()
                work(own, number)

        with ThreadPoolExecutor(WRITERS) as pool:
            for done in [pool.submit(writer, number) for number in range(WRITERS)]:
                done.result()

    return run


AtOnce = Callable[[Callable[[FactStore, int], object]], None]


def changed_facts(store: FactStore) -> list[str]:
    """The facts of the feed, commit by commit, which has no gap."""
    commits = store.changes()
    assert [commit.revision for commit in commits] == list(range(1, store.revision + 1))
    times = [commit.recorded_at for commit in commits]
    assert times == sorted(times)
    return [change.after.object for commit in commits for change in commit.changes if change.after]


def test_every_batch_is_one_revision_of_a_gapless_order(store: FactStore, at_once: AtOnce) -> None:
    def work(own: FactStore, number: int) -> None:
        for count in range(4):
            objects = [f"{number}.{count}.{part}" for part in range(3)]
            receipt = own.apply([Add("Ruritania", "saw", name) for name in objects])
            made = [change.after.object for change in receipt.changes if change.after]
            assert made == objects

    at_once(work)
    objects = changed_facts(store)
    assert store.revision == 4 * WRITERS
    assert len(objects) == len(set(objects)) == 3 * store.revision
    # Batches do not mix.
    assert all(
        len({name.rpartition(".")[0] for name in objects[first : first + 3]}) == 1
        for first in range(0, len(objects), 3)
    )
    ids = [fact.id for fact in store.snapshot().facts()]
    assert sorted(ids) == sorted(f"f{number + 1}" for number in range(len(ids)))


def test_the_same_statement_of_many_is_stored_once(store: FactStore, at_once: AtOnce) -> None:
    batch = [Add("Ruritania", "king", f"King {number}", "1890") for number in range(5)]
    at_once(lambda own, number: own.apply(batch))
    assert (store.revision, store.snapshot().count()) == (1, 5)


def test_one_key_of_many_is_answered_once(store: FactStore, at_once: AtOnce) -> None:
    replayed: list[bool] = []

    def work(own: FactStore, number: int) -> None:
        receipt = own.apply([Add("Ruritania", "king", "Rudolf")], idempotency_key="k")
        replayed.append(receipt.replayed)

    at_once(work)
    assert sorted(replayed) == [False] + [True] * (WRITERS - 1)
    assert store.revision == 1


def test_new_names_of_many_are_one_entity_each(
    store: FactStore, at_once: AtOnce, server: Neo4jServer, graph_name: str
) -> None:
    def work(own: FactStore, number: int) -> None:
        own.apply([Add("Ruritania", f"said {number}", "Rudolf")])
        own.apply([SetAliases("Rudolf", (f"R{number}",))])

    at_once(work)
    snapshot = store.snapshot()
    assert snapshot.resolve("Rudolf") == ["Rudolf"]
    assert set(snapshot.aliases("Rudolf")) == {f"R{number}" for number in range(WRITERS)}
    assert len(snapshot.timeline("Rudolf")) == WRITERS


def test_no_update_is_lost(store: FactStore, at_once: AtOnce) -> None:
    store.apply([Add("Ruritania", "has", "a count", id="n", attributes={"count": 0})])

    def work(own: FactStore, number: int) -> None:
        for _ in range(3):
            while True:
                fact = own.snapshot().get("n")
                counted = {"count": int(str(fact.attributes["count"])) + 1}
                try:
                    own.apply([Correct("n", {"attributes": counted}, fact.revision)])
                except PreconditionFailed:
                    continue
                break

    at_once(work)
    assert store.snapshot().get("n").attributes == {"count": 3 * WRITERS}
    assert len(store.snapshot().history("n")) == 3 * WRITERS + 1


def test_one_king_at_a_time_whoever_crowned_him(store: FactStore, at_once: AtOnce) -> None:
    store.apply([SetRelation(Relation("king", "one"))])
    at_once(
        lambda own, number: own.apply([Add("Ruritania", "king", f"King {number}", f"189{number}")])
    )
    reigns = store.snapshot().slots([("Ruritania", "king")])["Ruritania", "king"]
    ends = [fact.valid_to for fact in reversed(reigns)]
    assert ends == ["1891", "1892", "1893", None]


def test_processes_make_one_order_too(address: Address, store: FactStore, graph_name: str) -> None:
    command = [sys.executable, "-m", "tests.graph.neo4j.writer_process", address.uri, graph_name]
    writers = [
        subprocess.Popen(
            [*command, name, "5"], env=address.environment, stdout=subprocess.PIPE, text=True
        )
        for name in ("a", "b")
    ]
    acknowledged = [int(line) for writer in writers for line in writer.communicate()[0].split()]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert sorted(acknowledged) == list(range(1, 11))
    assert len(changed_facts(store)) == 20
