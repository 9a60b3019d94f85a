"""The neighbourhood of an entity and its places."""

from __future__ import annotations

from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph import MemoryStore
from graph.fact import Add
from service.drawing import FACTS_OF_A_NODE, neighbourhood, places
from service.routes.layout import LayoutOut
from tests.service.fakes import FakeWorkspace
from tests.service.harness import Http, problem
from tests.service.page.norland import settle

LAYOUT = "/v1/graphs/default/layout"
NAMES = st.sampled_from("ABCDEFGH")


def drawn(http: Http, **query: Any) -> dict[str, Any]:
    response = http.get(LAYOUT, params=query)
    assert response.status_code == 200, response.text
    LayoutOut.model_validate_json(response.content, strict=True)
    layout: dict[str, Any] = response.json()
    return layout


def names(layout: dict[str, Any]) -> list[str]:
    return [node["name"] for node in layout["nodes"]]


@pytest.fixture(autouse=True)
def norland(workspace: FakeWorkspace) -> None:
    settle(workspace.graph())


def test_the_entity_stands_in_the_middle_and_the_nearest_come_first(http: Http) -> None:
    layout = drawn(http, entity="Norland")
    assert (layout["entity"], layout["complete"]) == ("Norland", True)
    assert layout["nodes"][0] == {"name": "Norland", "hops": 0, "x": 0, "y": 0}
    assert set(names(layout)) == {"Norland", "Ada Quill", "Ben Marsh", "Sudland", "Port Sud"}
    hops = [node["hops"] for node in layout["nodes"]]
    assert hops == sorted(hops) == [0, 1, 1, 1, 2]
    assert len(layout["edges"]) == 4


def test_only_facts_that_hold_at_the_time_join_entities(http: Http) -> None:
    assert "Ben Marsh" not in names(drawn(http, entity="Norland", as_of="2010"))
    assert "Ada Quill" not in names(drawn(http, entity="Norland", as_of="2020"))
    assert "Port Sud" not in names(drawn(http, entity="Norland", as_of="1980"))


def test_hops_and_limit_bound_it_and_what_is_left_out_is_told(http: Http) -> None:
    near = drawn(http, entity="Norland", hops=1)
    assert "Port Sud" not in names(near)
    assert near["complete"]
    few = drawn(http, entity="Norland", limit=3)
    assert (len(few["nodes"]), few["complete"]) == (3, False)
    assert all({edge["subject"], edge["object"]} <= set(names(few)) for edge in few["edges"])


def test_an_alias_leads_to_its_entity(http: Http, workspace: FakeWorkspace) -> None:
    workspace.graph().apply([Add("Norland", "currency", "norl", aliases=("The North",))])
    assert drawn(http, entity="The North")["entity"] == "Norland"


def test_an_entity_that_no_fact_names_is_not_found(http: Http) -> None:
    problem(http.get(LAYOUT, params={"entity": "Atlantis"}), 404, "not_found")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "invalid_request"),
        ({"entity": "Norland", "as_of": "soon"}, "invalid_time"),
        ({"entity": "Norland", "limit": "301"}, "invalid_request"),
        ({"entity": "Norland", "hops": "0"}, "invalid_request"),
    ],
)
def test_what_cannot_be_drawn_is_refused(http: Http, query: dict[str, str], code: str) -> None:
    problem(http.get(LAYOUT, params=query), 422, code)


def test_of_a_hub_only_so_many_facts_are_followed() -> None:
    with MemoryStore() as store:
        store.apply([Add("hub", "has", f"spoke {n}") for n in range(FACTS_OF_A_NODE + 50)])
        found = neighbourhood(store.snapshot(), "hub", as_of=None, hops=1, most=1000)
    assert (len(found.facts), found.complete) == (FACTS_OF_A_NODE, False)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=14), st.integers(1, 3))
def test_it_is_what_networkx_finds_and_every_place_lies_in_the_square(
    pairs: list[tuple[str, str]], hops: int
) -> None:
    with MemoryStore() as store:
        store.apply([Add(subject, "knows", object) for subject, object in pairs])
        snapshot = store.snapshot()
        middle = pairs[0][0]
        found = neighbourhood(snapshot, middle, as_of=None, hops=hops, most=300)
    whole = nx.Graph(pairs)
    assert found.hops == nx.single_source_shortest_path_length(whole, middle, cutoff=hops)
    placed = places(found)
    assert set(placed) == set(found.hops)
    assert placed[middle] == (0, 0)
    assert all(-1 <= x <= 1 and -1 <= y <= 1 for x, y in placed.values())
    assert len(set(placed.values())) == len(placed)
    assert places(found) == placed
