from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dysk.retrieval.coarse import CoarseIndex
from dysk.retrieval.encoder import HashEncoder
from dysk.retrieval.exact import ExactIndex
from dysk.retrieval.fusion import MENTION_WEIGHT, Candidate, rank
from dysk.retrieval.keys import slot_keys
from dysk.retrieval.mentions import Mention, MentionIndex
from tests.contracts.coarse import DIM, unit_vectors

SLOTS = [
    (f"{n} ward of {town}", relation)
    for town in ("Lund", "Avaria")
    for n in ("11th", "12th", "21st")
    for relation in ("represented by", "population")
]


class World:
    """Slots, their index and their names, as the sync keeps them."""

    def __init__(self) -> None:
        self.encoder = HashEncoder()
        self.index: CoarseIndex = ExactIndex(self.encoder.dim)
        self.index.add(range(len(SLOTS)), slot_keys(self.encoder, SLOTS))
        self.names = MentionIndex()
        for subject, _ in SLOTS:
            self.names.add(subject, subject)

    def slots_of(self, entity: str) -> list[int]:
        return [i for i, (subject, _) in enumerate(SLOTS) if subject == entity]

    def ask(self, question: str, n: int = 4) -> list[Candidate]:
        query = self.encoder.encode([question])[0]
        return rank(query, self.names.find(question), self.index, self.slots_of, n)


def mention(entity: str, score: float) -> Mention:
    return Mention(entity, entity, 0, len(entity), score)


def test_the_named_slot_wins_over_its_neighbours() -> None:
    world = World()
    for number in ("11th", "12th", "21st"):
        best = world.ask(f"Who represented Avaria's {number} ward?")[0]
        assert SLOTS[best.slot] == (f"{number} ward of Avaria", "represented by")


def test_the_score_is_the_cosine_plus_the_weighted_mention() -> None:
    for candidate in World().ask("What is the population of the 12th ward of Lund?"):
        assert candidate.score == pytest.approx(
            candidate.cosine + MENTION_WEIGHT * candidate.mention
        )
        assert 0 <= candidate.mention <= 1


def test_without_mentions_the_order_is_the_index_s() -> None:
    index, vectors = ExactIndex(DIM), unit_vectors(20)
    index.add(range(20), vectors)
    query = unit_vectors(1, seed=3)[0]
    ids, scores = index.search(query[None], 5)
    ranked = rank(query, [], index, lambda _: [], 5)
    assert [c.slot for c in ranked] == ids[0].tolist()
    np.testing.assert_allclose([c.cosine for c in ranked], scores[0], atol=1e-6)
    assert all(c.mention == 0 for c in ranked)


def test_a_named_slot_competes_though_the_search_did_not_reach_it() -> None:
    index = ExactIndex(2)
    index.add(range(3), np.array([[1, 0], [0.9, 0.43589], [0.8, 0.6]], dtype=np.float32))
    query = np.array([1, 0], dtype=np.float32)
    assert [c.slot for c in rank(query, [], index, lambda _: [2], 1)] == [0]
    ranked = rank(query, [mention("MV Aurelia", 1.0)], index, lambda _: [2], 1)
    assert [c.slot for c in ranked] == [2]
    assert ranked[0].cosine == pytest.approx(0.8)


def test_a_slot_named_twice_counts_its_surer_mention() -> None:
    index = ExactIndex(DIM)
    index.add([0], unit_vectors(1))
    for mentions in (
        [mention("a", 0.4), mention("b", 0.9)],
        [mention("b", 0.9), mention("a", 0.4)],
    ):
        assert rank(unit_vectors(1)[0], mentions, index, lambda _: [0], 1)[0].mention == 0.9


def test_a_slot_that_left_the_index_is_no_candidate() -> None:
    index = ExactIndex(DIM)
    index.add([0], unit_vectors(1))
    ranked = rank(unit_vectors(1)[0], [mention("gone", 1.0)], index, lambda _: [7], 4)
    assert [c.slot for c in ranked] == [0]


def test_an_empty_index_has_no_candidates() -> None:
    assert rank(unit_vectors(1)[0], [mention("a", 1.0)], ExactIndex(DIM), lambda _: [0], 4) == []


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0.1, 1)), max_size=6), st.integers(1, 12))
def test_candidates_are_distinct_sorted_and_no_more_than_asked(
    named: list[tuple[int, float]], n: int
) -> None:
    index = ExactIndex(DIM)
    index.add(range(10), unit_vectors(10))
    mentions = [mention(str(slot), score) for slot, score in named]
    ranked = rank(unit_vectors(1, seed=2)[0], mentions, index, lambda entity: [int(entity)], n)
    scores = [c.score for c in ranked]
    assert len(ranked) == min(n, 10)
    assert len({c.slot for c in ranked}) == len(ranked)
    assert scores == sorted(scores, reverse=True)
    everything = rank(unit_vectors(1, seed=2)[0], mentions, index, lambda e: [int(e)], 10)
    assert scores[0] == pytest.approx(max(c.score for c in everything), abs=1e-6)
