"""Stores to write out, and what of them must come back."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from graph import (
    Add,
    Correct,
    End,
    FactStore,
    GraphError,
    MemoryStore,
    Relation,
    Retract,
    SetAliases,
    SetRelation,
)
from tests.contracts.clock import Clock
from tests.graph.strategies import batches


def kingdom() -> MemoryStore:
    """A store with a fact of every status, aliases, and settings."""
    store = MemoryStore(Clock())
    store.apply(
        [
            SetRelation(Relation("king", "one", "{object} is king of {subject}.")),
            Add("Ruritania", "king", "Rudolf V", "1890", id="r", aliases=("RU", "Ruritanien")),
            Add("Ruritania", "king", "Michael", "1893-05", id="m", object_aliases=("Black M.",)),
            Add("Ruritania", "king", "Loser", "1899", id="lost"),
            Add("Ruritania", "king", "Winner", "1899", id="won", source='a "gazette", 1899'),
            Add("Ruritania", "king", "Now", id="now", attributes={"page": [1, "é"]}),
            Add("Ruritania", "king", "Guest", "1901", id="guest", on_conflict="coexist"),
            Add("Zenda", "visited by", "Rudolf V", "1889-07", id="v", external_id="x,1"),
            Add("Zenda", "visited by", "Flavia", id="w"),
            Add("Zenda", "visited by", "Ghost", id="ghost"),
        ]
    )
    store.apply([End("v", "1889-08"), Retract("ghost"), Correct("w", {"source": "gossip"})])
    store.apply([SetAliases("Flavia", ("The Princess",))])
    return store


@st.composite
def random_stores(draw: st.DrawFn) -> FactStore:
    """A store with a random history; batches that it refuses are left out."""
    store = MemoryStore(Clock())
    store.apply([SetRelation(Relation("king", "one"))])
    for _ in range(draw(st.integers(1, 8))):
        recorded = [fact.id for fact in store.snapshot().facts()]
        try:
            store.apply(draw(batches(recorded)))
        except GraphError:
            continue
    return store


def content(store: FactStore) -> dict[str, tuple[Any, ...]]:
    """The current facts, without the transaction time and what follows from it."""
    return {
        fact.id: (
            fact.subject,
            fact.relation,
            fact.object,
            fact.valid_from,
            fact.valid_to,
            fact.source,
            fact.external_id,
            fact.attributes,
            fact.status,
            fact.superseded_by,
            fact.statement,
        )
        for fact in store.snapshot().facts()
    }


def names(store: FactStore) -> dict[str, tuple[str, ...]]:
    """The aliases of the entities that the current facts name."""
    snapshot = store.snapshot()
    entities = {name for fact in snapshot.facts() for name in (fact.subject, fact.object)}
    return {entity: snapshot.aliases(entity) for entity in entities}
