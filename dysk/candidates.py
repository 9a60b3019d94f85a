"""Coarse retrieval: the C facts that may answer, valid at the time asked about, at one revision.

The index proposes slots; what holds in them is read from the pinned snapshot in one batch. So the
time filter is exact, and no fact that is superseded, ended or not yet true takes a candidate's
place. Only of a past time that a question spells out may a fact be found that ended within the
very month or year: such an end is vague (dysk.fit).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from dysk.fit import fit, latest, widened
from dysk.retrieval import fusion
from dysk.retrieval.encoder import TextEncoder
from dysk.retrieval.fusion import rank
from dysk.retrieval.mentions import Mention
from dysk.retrieval.time import TimeInterpretation, interpret
from dysk.retrieval.verbalize import verbalize
from dysk.sync import Slot, Syncer
from graph.fact import Fact, Relation
from graph.interval import Period
from graph.store import Snapshot

REACH = 0.2
"""A candidate whose score trails the best by more was never rightly chosen (docs/log.md), so it is
left out before its block is made: that is what a first question about new facts spends its time on.
"""
_SEARCHED = 8
"""Slots that are ranked at once for each fact wanted: to compare the codes takes the time, however
many of them are kept.
"""
_SURE = 0.8
"""Mention score from which a name counts as certain."""
_WORSE_FIT, _WORST_FIT = 0.1, 0.2
"""What a fact loses beside one of the same slot whose time fits the period better, a step and at
most.
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fact, its sentence, and its coarse score in [−1, 1.3]: a cosine, more if named outright."""

    fact: Fact
    text: str
    score: float

    @property
    def slot(self) -> Slot:
        """(subject, relation)."""
        return self.fact.subject, self.fact.relation


@dataclass(frozen=True, slots=True)
class _Found:
    """What a Candidate is made of, once it is needed."""

    fact: Fact
    relation: Relation
    score: float


@dataclass(frozen=True, slots=True)
class Query:
    """A question as the coarse stage sees it: without its time words.

    They say nothing about who or what is meant, and pull its vector f32[dim] away from the keys.
    """

    text: str
    vector: NDArray[np.float32]
    mentions: list[Mention]


def read_time(question: str, syncer: Syncer, now: datetime) -> TimeInterpretation:
    """When a question asks about. A date inside a known name is part of the name."""
    names = [
        (mention.start, mention.end)
        for mention in syncer.mentions.find(question)
        if mention.score >= _SURE
    ]
    return interpret(question, now, names)


def read_query(question_without_time: str, syncer: Syncer, encoder: TextEncoder) -> Query:
    """What a question asks about."""
    return Query(
        question_without_time,
        encoder.encode([question_without_time])[0],
        syncer.mentions.find(question_without_time),
    )


def retrieve(
    syncer: Syncer,
    snapshot: Snapshot,
    query: Query,
    as_of: Period,
    count: int,
    *,
    past: Period | None = None,
    reach: float = REACH,
) -> list[Candidate]:
    """The best ``count`` candidates, best first, none more than ``reach`` behind the best.

    ``past`` is the past time that the question speaks of in its own words, if any.
    Slots without a valid fact are skipped, and the search widens until enough are found, what is
    left lies out of reach, or the index is spent. A slot out of reach is not even read.
    """
    found: list[_Found] = []
    read: set[int] = set()
    width = _SEARCHED * count
    while True:
        ranked = rank(query.vector, query.mentions, syncer.index, syncer.slots_of, width)
        left = [each for each in ranked if each.slot not in read]
        while left and len(found) < count:
            # The first valid fact of the best slot is the best of all: no other gains on its slot.
            best = found[0].score if found else left[0].score
            part = [each for each in left[: 2 * count] if each.score >= best - reach]
            if not part:
                break
            found += _valid(syncer, snapshot, part, as_of, past)
            found.sort(key=lambda each: -each.score)
            read.update(each.slot for each in part)
            left = left[len(part) :]
        if left or len(found) >= count or len(ranked) < width:
            return _distinct(found, count, reach)
        width *= 4


def _distinct(found: Sequence[_Found], count: int, reach: float) -> list[Candidate]:
    """The first ``count`` of different wording, put into words no further than that."""
    unique: dict[str, Candidate] = {}
    for each in found:
        if len(unique) == count or each.score < found[0].score - reach:
            break
        text = verbalize(each.fact, each.relation)
        unique.setdefault(text, Candidate(each.fact, text, each.score))
    return list(unique.values())


def _valid(
    syncer: Syncer,
    snapshot: Snapshot,
    ranked: list[fusion.Candidate],
    as_of: Period,
    past: Period | None,
) -> list[_Found]:
    slots = syncer.slots(c.slot for c in ranked)
    score_of = {slot: c.score for slot, c in zip(slots, ranked, strict=True) if slot}
    found = []
    settings: dict[str, Relation] = {}
    for slot, facts in snapshot.slots(score_of, widened(as_of) if past else as_of).items():
        if slot[1] not in settings:
            settings[slot[1]] = snapshot.relation(slot[1])
        relation = settings[slot[1]]
        happens = relation.cardinality == "many"
        valid = [fact for fact in facts if not past or latest(fact).overlaps(as_of)]
        fits = [fit(fact, as_of, past, happens=happens) for fact in valid]
        ranks = {value: rank for rank, value in enumerate(sorted(set(fits), reverse=True))}
        found += [
            _Found(fact, relation, score_of[slot] - min(_WORSE_FIT * ranks[value], _WORST_FIT))
            for fact, value in zip(valid, fits, strict=True)
        ]
    return found
