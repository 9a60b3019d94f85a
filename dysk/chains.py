"""Questions that join facts: "the party of the person who represents Iowa's 1st district".

A chain starts at an entity that the question names and goes on from each fact's object. Which of
the chains is meant is told by its wording: "the party of the held by of the 1st district of Iowa"
lies nearer to that question than any other walk through the graph, the shorter ones included. No
template is involved, only the encoder.

Walking is cheap: a chain's vector is composed from cached vectors of the entity and the relations,
as the keys of the index are. Only where a chain of several facts comes as near to the question as
the best single fact are the best few put into words and encoded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dysk.candidates import Candidate, Query
from dysk.retrieval.encoder import CachedEncoder, Vectors, unit
from dysk.retrieval.verbalize import spell_out, verbalize
from dysk.sync import Slot, Syncer
from graph.fact import Fact
from graph.interval import Period
from graph.store import Snapshot

HOPS = 4
"""The longest chain, in facts."""
_BEAM = 24
_PHRASED = 12
_SINGLE_FACTS = 4
_BRANCHES = 8
"""Of a relation with many objects, so many are followed, the latest first."""
_NAMED, _ANCHORS = 0.5, 4
"""How surely an entity must be named to start from it, and from how many."""
_MENTION_WEIGHT = 0.1
_RELATION_WEIGHT = 0.35
"""Share of each relation in a chain's vector; less than in a key, since there are more of them."""
_NEAR = 0.01
"""By how much a composed chain may trail the best single fact and still be put into words."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Facts, each about the object of the one before; the last one answers."""

    anchor: str
    relations: tuple[str, ...]
    facts: tuple[Fact, ...]

    @property
    def end(self) -> str:
        """The entity that the chain has arrived at."""
        return self.facts[-1].object if self.facts else self.anchor

    @property
    def phrase(self) -> str:
        """The chain in words: "the birthplace of the author of Emma"."""
        return "".join(f"the {spell_out(r)} of " for r in reversed(self.relations)) + self.anchor

    def ending_in(self, fact: Fact) -> Chain | None:
        """The chain with the fact of its last relation; None where that would lead in a circle."""
        if fact.object in (self.anchor, *(passed.object for passed in self.facts)):
            return None
        return Chain(self.anchor, self.relations, (*self.facts, fact))


@dataclass(frozen=True, slots=True)
class _Scored:
    """A chain, the sum f32[dim] that its vector is composed of, and how near that is.

    ``named`` is what the naming of its anchor adds to any score of it.
    """

    chain: Chain
    sum: Vectors
    score: float
    named: float

    @property
    def wording(self) -> tuple[str, tuple[str, ...]]:
        """Equal for chains that differ in their facts only."""
        return self.chain.anchor, self.chain.relations


def find_chain(
    query: Query,
    rivals: Iterable[Slot],
    syncer: Syncer,
    snapshot: Snapshot,
    as_of: Period,
) -> list[Candidate]:
    """The two or more facts that a question joins, the last of which answers it.

    Empty where one fact is nearer to what was asked; ``rivals`` are slots that other channels hold
    for the answer. Every fact holds in ``as_of``; of several chains in the same words the one of
    the latest facts is taken.
    """
    walk = _Walk(query.vector, syncer, snapshot, as_of, syncer.encoder)
    found = [
        scored
        for mention in [m for m in query.mentions if m.score >= _NAMED][:_ANCHORS]
        for scored in walk.from_entity(mention.entity, _MENTION_WEIGHT * mention.score)
    ]
    chains = _distinct(scored for scored in found if len(scored.chain.relations) > 1)
    if not chains:
        return []
    named = {mention.entity: _MENTION_WEIGHT * mention.score for mention in query.mentions}
    singles = _distinct(
        [
            *(scored for scored in found if len(scored.chain.relations) == 1),
            *(walk.single(slot, named.get(slot[0], 0.0)) for slot in rivals),
        ]
    )
    if singles and chains[0].score < singles[0].score - _NEAR:
        return []
    phrased = [*chains[:_PHRASED], *singles[:_SINGLE_FACTS]]
    # Not cached: a phrase names entities, and nothing of an erased fact may stay.
    vectors = syncer.encoder.encoder.encode([scored.chain.phrase for scored in phrased])
    scores = vectors @ query.vector + np.array([scored.named for scored in phrased])
    best = int(scores.argmax())
    chain, score = phrased[best].chain, float(scores[best])
    if len(chain.relations) == 1:
        return []
    return [
        Candidate(fact, verbalize(fact, snapshot.relation(fact.relation)), score)
        for fact in chain.facts
    ]


@dataclass(frozen=True, slots=True)
class _Walk:
    """Walks through the graph as it holds at one time, towards one question."""

    query: Vectors
    syncer: Syncer
    snapshot: Snapshot
    as_of: Period
    encoder: CachedEncoder

    def from_entity(self, anchor: str, named: float) -> list[_Scored]:
        """Chains from here, the ``_BEAM`` nearest to the question of every length."""
        start = _Scored(Chain(anchor, (), ()), self.encoder.encode([anchor])[0], 0.0, named)
        front, found = [start], []
        for _ in range(HOPS):
            front = self._longer(front)
            found += front
        return found

    def single(self, slot: Slot, named: float) -> _Scored:
        """A slot as a chain of one relation, whatever fact holds in it."""
        subject, relation = slot
        total = self.encoder.encode([subject])[0] + self._step(relation)
        return self._scored(Chain(subject, (relation,), ()), total, named)

    def _longer(self, front: list[_Scored]) -> list[_Scored]:
        slots = [
            [slot for slot in self.syncer.slots(self.syncer.slots_of(s.chain.end)) if slot]
            for s in front
        ]
        steps = [
            self._scored(
                Chain(s.chain.anchor, (*s.chain.relations, relation), s.chain.facts),
                s.sum + self._step(relation),
                s.named,
            )
            for s, leaving in zip(front, slots, strict=True)
            for _, relation in leaving
        ]
        steps = sorted(steps, key=lambda scored: -scored.score)[:_BEAM]
        wanted = {(scored.chain.end, scored.chain.relations[-1]) for scored in steps}
        held = self.snapshot.slots(wanted, self.as_of)
        longer = [
            _Scored(chain, scored.sum, scored.score, scored.named)
            for scored in steps
            for fact in held.get((scored.chain.end, scored.chain.relations[-1]), [])[:_BRANCHES]
            if (chain := scored.chain.ending_in(fact)) is not None
        ]
        return longer[:_BEAM]

    def _scored(self, chain: Chain, total: Vectors, named: float) -> _Scored:
        return _Scored(chain, total, float(unit(total[None])[0] @ self.query) + named, named)

    def _step(self, relation: str) -> Vectors:
        weighted: Vectors = _RELATION_WEIGHT * self.encoder.encode([spell_out(relation)])[0]
        return weighted


def _distinct(scored: Iterable[_Scored]) -> list[_Scored]:
    """Best first, one for each wording: of equals the first found, whose facts are the latest."""
    unlike: dict[tuple[str, tuple[str, ...]], _Scored] = {}
    for one in scored:
        unlike.setdefault(one.wording, one)
    return sorted(unlike.values(), key=lambda one: -one.score)
