"""A connection that breaks, at any moment: a batch is stored once or not at all, and whoever wrote
it is told which.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from urllib.parse import urlsplit

import pytest

from graph import Add, FactStore, StoreUnavailable
from graph.neo4j import Neo4jServer
from tests.graph.neo4j.conftest import Address
from tests.graph.neo4j.cutting_proxy import COMMIT, CuttingProxy, Verdict

BATCH = [Add("Ruritania", "king", name) for name in ("Rudolf", "Michael", "Flavia")]


@pytest.fixture
def proxy(address: Address) -> Iterator[CuttingProxy]:
    port = urlsplit(address.uri).port
    assert port is not None
    with CuttingProxy(port) as proxy:
        yield proxy


@pytest.fixture
def store(address: Address, proxy: CuttingProxy, graph_name: str) -> Iterator[FactStore]:
    """A graph that is reached through the proxy."""
    with address.connect(proxy.uri) as server:
        yield server.graph(graph_name)


@pytest.fixture
def hasty(address: Address, proxy: CuttingProxy, graph_name: str) -> Iterator[FactStore]:
    """The same, by a client of little patience."""
    with address.connect(proxy.uri, patience=2.0) as server:
        yield server.graph(graph_name)


@pytest.fixture
def witness(server: Neo4jServer, graph_name: str) -> FactStore:
    """The same graph, by an unbroken connection."""
    return server.graph(graph_name)


def names(store: FactStore) -> list[str]:
    return [fact.object for fact in store.snapshot().facts()]


def test_a_batch_is_stored_once_wherever_the_connection_breaks(
    proxy: CuttingProxy, store: FactStore, witness: FactStore
) -> None:
    pieces = []
    for place in count():
        seen = count()

        def judge(sent: bytes, place: int = place, seen: Iterator[int] = seen) -> Verdict:
            here = next(seen)
            pieces[:] = range(here + 1)
            return "cut" if here == place else "pass"

        proxy.judge = judge
        receipt = store.apply([Add("Ruritania", f"said {place}", word) for word in "abc"])
        assert receipt.revision == witness.revision == place + 1
        assert witness.changes(place)[0].changes == receipt.changes
        if len(pieces) <= place:
            # The connection was never cut: every place was tried.
            break
    assert place > 5
    assert witness.snapshot().count() == 3 * (place + 1)


def test_a_commit_whose_answer_is_lost_is_not_made_twice(
    proxy: CuttingProxy, store: FactStore, witness: FactStore
) -> None:
    commits = count()

    def judge(sent: bytes) -> Verdict:
        first = COMMIT in sent and next(commits) == 0
        return "pass, then cut" if first else "pass"

    proxy.judge = judge
    receipt = store.apply(BATCH)
    assert next(commits) > 1, "the commit was tried again"
    assert (receipt.revision, receipt.replayed) == (1, False)
    assert witness.changes()[0].changes == receipt.changes
    assert names(witness) == ["Rudolf", "Michael", "Flavia"]


def test_a_commit_that_stays_in_doubt_says_so_and_is_stored_whole(
    proxy: CuttingProxy, hasty: FactStore, witness: FactStore
) -> None:
    gone = False

    def judge(sent: bytes) -> Verdict:
        nonlocal gone
        if gone:
            return "cut"
        gone = COMMIT in sent
        return "pass, then cut" if gone else "pass"

    proxy.judge = judge
    with pytest.raises(StoreUnavailable, match=r"unknown whether.*same idempotency key"):
        hasty.apply(BATCH, idempotency_key="k")
    assert names(witness) == ["Rudolf", "Michael", "Flavia"]
    assert witness.apply(BATCH, idempotency_key="k").replayed
    assert witness.revision == 1


def test_a_commit_that_never_arrived_leaves_nothing(
    proxy: CuttingProxy, hasty: FactStore, witness: FactStore
) -> None:
    proxy.judge = lambda sent: "cut" if COMMIT in sent else "pass"
    with pytest.raises(StoreUnavailable, match="unknown whether"):
        hasty.apply(BATCH)
    assert (witness.revision, names(witness)) == (0, [])
    assert witness.apply(BATCH).revision == 1


def test_reads_go_on_over_a_new_connection(
    proxy: CuttingProxy, store: FactStore, witness: FactStore
) -> None:
    witness.apply(BATCH)
    snapshot = store.snapshot()
    proxy.cut()
    assert [fact.object for fact in snapshot.facts()] == ["Rudolf", "Michael", "Flavia"]
    proxy.cut()
    assert len(store.changes()) == 1


def test_a_server_that_is_gone_is_reported_in_words(
    proxy: CuttingProxy, hasty: FactStore, witness: FactStore
) -> None:
    proxy.judge = lambda sent: "cut"
    with pytest.raises(StoreUnavailable, match="cannot be reached; is it running"):
        hasty.apply(BATCH)
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        hasty.changes()
    assert witness.revision == 0


def test_a_wrong_password_is_reported_in_words(address: Address) -> None:
    with pytest.raises(StoreUnavailable, match="NEO4J_PASSWORD"):
        Neo4jServer(address.uri, address.user, "wrong", database=address.database, patience=2.0)


def test_an_address_that_is_none_is_reported_in_words() -> None:
    with pytest.raises(StoreUnavailable, match="bolt://host:7687"):
        Neo4jServer("world.db", "neo4j", "secret")
