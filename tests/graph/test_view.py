"""The graph as networkx sees it."""

from __future__ import annotations

import networkx as nx

from graph import Add, MemoryStore, Relation, Retract, SetRelation, parse_date
from graph.view import to_networkx


def world() -> MemoryStore:
    store = MemoryStore()
    store.apply(
        [
            SetRelation(Relation("king", "one")),
            Add("Ruritania", "king", "Rudolf", "1890", source="gazette", id="r"),
            Add("Ruritania", "king", "Michael", "1893", id="m"),
            Add("Ruritania", "ally of", "Rudolf", "1893", id="a"),
            Add("Ruritania", "king", "Nobody", "1850", id="n"),
            Add("Ruritania", "king", "Loser", "1899", id="l"),
            Add("Ruritania", "king", "Winner", "1899", id="w"),
            Retract("n"),
        ]
    )
    return store


def test_facts_become_edges_between_entities() -> None:
    graph = to_networkx(world().snapshot())
    assert isinstance(graph, nx.MultiDiGraph)
    assert graph.edges["Ruritania", "Rudolf", "r"] == {
        "relation": "king",
        "valid_from": "1890",
        "valid_to": "1893",
        "source": "gazette",
    }
    assert set(graph["Ruritania"]["Rudolf"]) == {"r", "a"}


def test_what_holds_nowhere_is_no_edge() -> None:
    graph = to_networkx(world().snapshot())
    assert set(graph) == {"Ruritania", "Rudolf", "Michael", "Winner"}


def test_only_what_holds_then_is_shown() -> None:
    graph = to_networkx(world().snapshot(), parse_date("1895"))
    assert {key for _, _, key in graph.edges(keys=True)} == {"m", "a"}
    assert len(to_networkx(world().snapshot(), parse_date("1700"))) == 0
