"""GraphML out: what networkx reads from it is what it would have been given in memory."""

from __future__ import annotations

import io
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph import Add, FactStore, GraphError, MemoryStore, Period, parse_date
from graph.interchange import graphml
from graph.view import to_networkx
from tests.graph.interchange.worlds import kingdom, random_stores

NAMESPACE = "{http://graphml.graphdrawing.org/xmlns}"


def written(store: FactStore, as_of: Period | None = None) -> bytes:
    return "".join(f"{line}\n" for line in graphml.dump(store.snapshot(), as_of)).encode()


def edges(graph: Any) -> dict[str, tuple[str, str, dict[str, str]]]:
    """By fact id: both ends, and what is said."""
    return {
        key: (subject, object, {name: value for name, value in said.items() if value is not None})
        for subject, object, key, said in graph.edges(keys=True, data=True)
    }


def same_as_in_memory(store: FactStore, as_of: Period | None = None) -> bool:
    text = io.BytesIO(written(store, as_of))
    graph = nx.read_graphml(text, force_multigraph=True)
    expected = to_networkx(store.snapshot(), as_of)
    return bool(set(graph) == set(expected)) and edges(graph) == edges(expected)


def test_networkx_reads_what_it_would_have_been_given() -> None:
    assert len(edges(to_networkx(kingdom().snapshot()))) == 7
    assert same_as_in_memory(kingdom())


def test_as_of_takes_what_held_then() -> None:
    store = kingdom()
    period = parse_date("1893-01")
    assert set(edges(to_networkx(store.snapshot(), period))) == {"r", "w"}
    assert same_as_in_memory(store, period)


@settings(max_examples=25, deadline=None)
@given(random_stores(), st.none() | st.sampled_from(("1893", "2026-11-24")).map(parse_date))
def test_any_history_is_read_as_in_memory(store: FactStore, period: Period | None) -> None:
    assert same_as_in_memory(store, period)


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_any_name_that_can_be_stored_is_xml(subject: str, object: str) -> None:
    store = MemoryStore()
    try:
        store.apply([Add(subject, "<&>\"'", object, source="a]]>b", id="<&\"'>")])
    except GraphError:
        return
    [edge] = ElementTree.fromstring(written(store)).iter(f"{NAMESPACE}edge")
    [fact] = store.snapshot().facts()
    assert edge.attrib == {"id": "<&\"'>", "source": fact.subject, "target": fact.object}
    assert [data.text for data in edge] == ["<&>\"'", "a]]>b"]


def test_characters_that_xml_cannot_have_are_replaced() -> None:
    store = MemoryStore()
    store.apply([Add("a\ufffe", "r", "b\uffff")])
    ends = next(ElementTree.fromstring(written(store)).iter(f"{NAMESPACE}edge")).attrib
    assert (ends["source"], ends["target"]) == ("a\ufffd", "b\ufffd")


def test_every_entity_is_declared_once_and_before_its_edges() -> None:
    seen = set[str]()
    for _, element in ElementTree.iterparse(io.BytesIO(written(kingdom()))):
        if element.tag == f"{NAMESPACE}node":
            assert element.attrib["id"] not in seen
            seen.add(element.attrib["id"])
        elif element.tag == f"{NAMESPACE}edge":
            assert {element.attrib["source"], element.attrib["target"]} <= seen
    assert len(seen) == 8


@pytest.mark.parametrize("as_of", [None, "1700"])
def test_an_empty_graph_is_a_graph(as_of: str | None) -> None:
    period = None if as_of is None else parse_date(as_of)
    graph = nx.read_graphml(io.BytesIO(written(MemoryStore(), period)))
    assert (len(graph), graph.is_directed()) == (0, True)
