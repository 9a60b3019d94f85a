"""One ranking from two channels: what a question means (vectors) and whom it names (mentions).

The vectors find paraphrases; names decide between neighbours that a vector blurs, such as two
districts that differ in a number. Measured on four sets, any mention weight from 0.2 to 0.5 gave
the same ranking quality, better than none (docs/log.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dysk.retrieval.coarse import CoarseIndex
from dysk.retrieval.mentions import Mention

MENTION_WEIGHT = 0.3
"""What naming a slot's entity word for word is worth, in units of cosine."""
_MENTIONED_SLOTS = 512


@dataclass(frozen=True, slots=True)
class Candidate:
    """A slot that may answer: ``score`` = ``cosine`` + MENTION_WEIGHT · ``mention``, at most 1.3.

    ``cosine`` of question and key; ``mention`` in [0, 1] is how surely its entity is named.
    """

    slot: int
    score: float
    cosine: float
    mention: float


def rank(
    query: NDArray[np.float32],
    mentions: Sequence[Mention],
    index: CoarseIndex,
    slots_of: Callable[[str], Sequence[int]],
    n: int,
) -> list[Candidate]:
    """The ``n`` best slots for a question, best first; ties by slot id, so that asks repeat.

    ``query`` float32 [dim], unit length, of the question without its time words; ``slots_of`` gives
    the slots of an entity. Slots of named entities compete even where no vector search finds them.
    """
    named: dict[int, float] = {}
    for mention in sorted(mentions, key=lambda mention: -mention.score):
        for slot in slots_of(mention.entity):
            if len(named) < _MENTIONED_SLOTS:
                named.setdefault(slot, mention.score)
    ids, scores = index.search(query[None], n)
    found, cosines = ids[0], scores[0]
    unseen = np.setdiff1d(np.fromiter(named, np.int64, len(named)), found)
    slots = np.concatenate([found, unseen])
    cosines = np.concatenate([cosines, index.score(query, unseen)])
    present = np.isfinite(cosines)  # neither padding nor removed since it was named
    slots, cosines = slots[present], cosines[present].astype(np.float64)
    mentioned = np.array([named.get(slot, 0.0) for slot in slots.tolist()])
    fused = cosines + MENTION_WEIGHT * mentioned
    best = np.lexsort((slots, -fused))[:n]
    columns = (slots[best], fused[best], cosines[best], mentioned[best])
    return [Candidate(*row) for row in zip(*(each.tolist() for each in columns), strict=True)]
