"""A small country whose leaders the tests of the page look at."""

from __future__ import annotations

from dysk.client import Dysk
from graph.fact import Add, Relation, SetRelation
from graph.store import Receipt

QUESTION = "Who leads Norland?"
LEADS = "head of government"


def settle(graph: Dysk) -> Receipt:
    """Two leaders after one another, and a neighbour with a capital."""
    graph.apply([SetRelation(Relation(LEADS, "one"))])
    return graph.apply(
        [
            Add("Norland", LEADS, "Ada Quill", "2004", source="https://gazette.example/quill"),
            Add("Norland", LEADS, "Ben Marsh", "2016-05", source="gazette"),
            Add("Sudland", "capital", "Port Sud", "1990"),
            Add("Sudland", "borders", "Norland"),
        ]
    )
