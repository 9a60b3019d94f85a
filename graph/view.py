"""The graph as networkx sees it, for its algorithms and drawings."""

from __future__ import annotations

import networkx as nx

from graph.interval import Period
from graph.store import Snapshot


def to_networkx(snapshot: Snapshot, as_of: Period | None = None) -> nx.MultiDiGraph:
    """Entities as nodes, facts as edges from subject to object, keyed by fact id.

    Only facts that hold in ``as_of``; None takes all that hold at some time. Edges carry relation,
    valid_from, valid_to and source.
    """
    graph = nx.MultiDiGraph()
    for fact in snapshot.facts(as_of=as_of):
        if fact.holds_in(as_of):
            graph.add_edge(
                fact.subject,
                fact.object,
                key=fact.id,
                relation=fact.relation,
                valid_from=fact.valid_from,
                valid_to=fact.valid_to,
                source=fact.source,
            )
    return graph
