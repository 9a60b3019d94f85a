"""The graphs of a server beside one another, and what an operation costs."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from graph import (
    Add,
    Command,
    Correct,
    Erase,
    MergeEntities,
    Relation,
    SetAliases,
    SetRelation,
    StoreCorrupt,
    StoreUnavailable,
)
from graph.neo4j import Neo4jServer, Neo4jStore
from graph.neo4j_connection import Connection
from graph.neo4j_schema import LABELS
from tests.graph.neo4j.conftest import Address
from tests.graph.neo4j.cutting_proxy import CuttingProxy, Verdict

EVERYTHING: list[Command] = [
    SetRelation(Relation("king", "one", inverse="kingdom")),
    Add("Ruritania", "king", "Rudolf", "1890", id="r", object_aliases=("Rudolf V",)),
    Add("Ruritania", "king", "Michael", "1893", source="gossip"),
    SetAliases("Michael", ("Black Michael",)),
    Add("Strelsau", "in", "Ruritania", id="s"),
    Erase("s"),
    MergeEntities("Michael", "Michael of Strelsau"),
]


@pytest.fixture
def connection(address: Address) -> Iterator[Connection]:
    with address.connect() as server:
        yield server._connection


def test_graphs_of_one_server_know_nothing_of_one_another(
    server: Neo4jServer, graph_name: str
) -> None:
    names = [f"{graph_name}.{letter}" for letter in "ab"]
    one, other = (server.graph(name) for name in names)
    one.apply(EVERYTHING, idempotency_key="k")
    other.apply([Add("Ruritania", "king", "Flavia", id="r")], idempotency_key="k")
    assert set(names) <= set(server.graphs())
    assert [fact.object for fact in other.snapshot().facts()] == ["Flavia"]
    assert other.snapshot().relations() == [Relation("king")]
    assert len(other.changes()[0].changes) == 1
    before = one.changes()
    server.delete(names[1])
    assert one.changes() == before
    assert one.snapshot().resolve("Black Michael") == ["Michael of Strelsau"]
    server.delete(names[0])


def test_a_deleted_graph_leaves_no_node_behind(
    server: Neo4jServer, connection: Connection, graph_name: str
) -> None:
    store = server.graph(graph_name)
    store.apply(EVERYTHING, idempotency_key="k")
    store.apply([Correct("r", {"source": "gazette"})])
    snapshot = store.snapshot()

    def left(label: str) -> int:
        statement = f"MATCH (n:{label}) WHERE n.graph = $graph RETURN count(n) AS count"
        count: int = connection.read(statement, graph=graph_name)[0]["count"]
        return count

    assert all(left(label) for label in LABELS)
    server.delete(graph_name)
    assert not any(left(label) for label in LABELS)
    assert graph_name not in server.graphs()
    for use in (store.changes, snapshot.count, lambda: store.apply(EVERYTHING)):
        with pytest.raises(StoreUnavailable, match="was deleted; open it again"):
            use()
    assert server.graph(graph_name).revision == 0


def test_a_half_deleted_graph_is_not_opened_but_can_be_deleted_again(
    server: Neo4jServer, connection: Connection, graph_name: str
) -> None:
    server.graph(graph_name)
    mark = "MATCH (g:FactGraph {name: $graph}) SET g.deleting = true"
    connection.write(lambda run: run(mark, graph=graph_name))
    with pytest.raises(StoreUnavailable, match="delete it again to finish"):
        server.graph(graph_name)
    server.delete(graph_name)
    assert server.graph(graph_name).revision == 0


def test_a_graph_of_a_newer_version_is_left_alone(
    server: Neo4jServer, connection: Connection, graph_name: str
) -> None:
    server.graph(graph_name)
    mark = "MATCH (g:FactGraph {name: $graph}) SET g.format = 99"
    connection.write(lambda run: run(mark, graph=graph_name))
    with pytest.raises(StoreCorrupt, match="upgrade dysk"):
        server.graph(graph_name)


def test_an_erased_text_is_in_no_property_of_any_node(
    server: Neo4jServer, connection: Connection, graph_name: str
) -> None:
    store = server.graph(graph_name)
    store.apply([Add("Ruritania", "secret", "Zenda castle", id="z", aliases=("R",))])
    store.apply([Correct("z", {"object": "Zenda keep"})], idempotency_key="k")
    store.apply([MergeEntities("Ruritania", "Great Ruritania")])
    texts = ("Zenda", "secret", "Ruritania")

    def everything() -> str:
        statement = "MATCH (n) WHERE n.graph = $graph RETURN properties(n) AS found"
        return repr(connection.read(statement, graph=graph_name))

    assert all(text in everything() for text in texts)
    store.apply([Erase("z")])
    assert not any(text in everything() for text in texts)
    edges = "MATCH ()-[m:MERGED]->() WHERE m.graph = $graph RETURN m"
    assert connection.read(edges, graph=graph_name) == []


def test_an_entity_that_nothing_names_goes_though_the_other_end_stays(
    server: Neo4jServer, graph_name: str
) -> None:
    store = server.graph(graph_name)
    store.apply([Add("Ruritania", "king", "Rudolf", id="r", object_aliases=("Rudolf V",))])
    store.apply([Add("Ruritania", "king", "Michael", aliases=("RU",))])
    store.apply([Erase("r")])
    snapshot = store.snapshot()
    assert (snapshot.resolve("Rudolf V"), snapshot.resolve("RU")) == ([], ["Ruritania"])


def test_a_large_batch_costs_no_more_round_trips_than_a_small_one(
    address: Address, graph_name: str
) -> None:
    with (
        CuttingProxy(int(address.uri.rpartition(":")[2])) as proxy,
        address.connect(proxy.uri) as server,
    ):
        store = server.graph(graph_name)
        store.apply([SetRelation(Relation("king", "one"))])

        def round_trips(size: int) -> int:
            sent = 0

            def judge(piece: bytes) -> Verdict:
                nonlocal sent
                sent += 1
                return "pass"

            batch = [
                Add(f"country {number}", relation, f"{size} {number}", str(1500 + size))
                for number in range(size)
                for relation in ("king", "visited")
            ]
            proxy.judge = judge
            store.apply(batch)
            return sent

        assert round_trips(1) <= 25
        small, large = round_trips(2), round_trips(40)
        # A large batch comes in several pieces, but what is asked is the same.
        assert large <= 2 * small


def test_what_waits_is_woken_when_the_store_is_closed(store_to_close: Neo4jStore) -> None:
    woken = threading.Event()

    def wait() -> None:
        with pytest.raises(StoreUnavailable, match="closed"):
            store_to_close.wait(0, 60.0)
        woken.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    store_to_close.close()
    assert woken.wait(30.0)
    waiting.join()


@pytest.fixture
def store_to_close(server: Neo4jServer, graph_name: str) -> Neo4jStore:
    return server.graph(graph_name)
