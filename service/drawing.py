"""Where to draw what: the neighbourhood of an entity, and places for its nodes on a plane."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import chain

import networkx as nx

from graph.errors import NotFound
from graph.fact import Fact
from graph.interval import Period
from graph.store import Snapshot

MOST_NODES = 300
"""More than this is no drawing but a stain."""
FACTS_OF_A_NODE = 200
"""Facts followed from one node in each direction, so that a hub of a million costs no more."""
ITERATIONS = 60
SEED = 7


@dataclass(slots=True)
class Neighbourhood:
    """Facts around an entity. ``hops`` has each entity's distance from it, nearest first;
    ``complete`` is False when some were left out.
    """

    entity: str
    hops: dict[str, int]
    facts: dict[str, Fact] = field(default_factory=dict)
    complete: bool = True


def neighbourhood(
    snapshot: Snapshot, name: str, *, as_of: Period | None, hops: int, most: int
) -> Neighbourhood:
    """The facts that hold in ``as_of`` within ``hops`` of the entity that bears ``name``, over at
    most ``most`` entities, nearest first. Raises NotFound when no fact names it.
    """
    entity = next(iter(snapshot.resolve(name)), None)
    if entity is None:
        raise NotFound(f"no fact names {name!r}; search finds names that are spelt otherwise")
    found = Neighbourhood(entity, {entity: 0})
    waiting = deque([entity])
    while waiting:
        here = waiting.popleft()
        if found.hops[here] == hops:
            continue
        for fact in _facts_of(snapshot, here, as_of, found):
            there = fact.object if fact.subject == here else fact.subject
            if there not in found.hops:
                if len(found.hops) == most:
                    found.complete = False
                    continue
                found.hops[there] = found.hops[here] + 1
                waiting.append(there)
            found.facts[fact.id] = fact
    return found


def places(found: Neighbourhood) -> dict[str, tuple[float, float]]:
    """A place for each entity in the square from −1 to 1, the entity itself in the middle.

    Springs pull along facts and push everything else apart (Fruchterman and Reingold), from rings
    by distance; the same neighbourhood is always drawn the same way.
    """
    drawn = nx.Graph()
    drawn.add_nodes_from(found.hops)
    drawn.add_edges_from((fact.subject, fact.object) for fact in found.facts.values())
    placed = nx.spring_layout(
        drawn,
        pos=_rings(found.hops),
        fixed=[found.entity],
        k=1.6 / math.sqrt(len(found.hops)),
        iterations=ITERATIONS,
        seed=SEED,
    )
    reach = max((abs(float(each)) for each in chain(*placed.values())), default=0.0) or 1.0
    return {name: (float(x) / reach, float(y) / reach) for name, (x, y) in placed.items()}


def _facts_of(
    snapshot: Snapshot, entity: str, as_of: Period | None, found: Neighbourhood
) -> list[Fact]:
    sides = [
        list(snapshot.facts(subject=entity, as_of=as_of, limit=FACTS_OF_A_NODE + 1)),
        list(snapshot.facts(object=entity, as_of=as_of, limit=FACTS_OF_A_NODE + 1)),
    ]
    if any(len(side) > FACTS_OF_A_NODE for side in sides):
        found.complete = False
    return [
        fact
        for side in sides
        for fact in side[:FACTS_OF_A_NODE]
        if fact.holds_in(as_of) and fact.subject != fact.object
    ]


def _rings(hops: dict[str, int]) -> dict[str, tuple[float, float]]:
    sizes: dict[int, int] = {}
    for distance in hops.values():
        sizes[distance] = sizes.get(distance, 0) + 1
    seen = dict.fromkeys(sizes, 0)
    rings = {}
    for name, distance in hops.items():
        angle = 2 * math.pi * seen[distance] / sizes[distance] + distance
        seen[distance] += 1
        rings[name] = (distance * math.cos(angle), distance * math.sin(angle))
    return rings
