from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dysk.retrieval.encoder import HashEncoder, Progress, Vectors
from dysk.retrieval.keys import RELATION_WEIGHT, compose, slot_keys
from tests.contracts.coarse import unit_vectors

SLOTS = [
    ("Northwind Ferries", "chief executive"),
    ("Northwind Ferries", "home port"),
    ("Harbour Street 12", "occupied by"),
]


class CountingEncoder(HashEncoder):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        self.asked += texts
        return super().encode(texts, progress)


def test_keys_have_length_one() -> None:
    keys = compose(unit_vectors(5), unit_vectors(5, seed=1))
    assert keys.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(keys, axis=1), 1, atol=1e-6)


def test_a_key_leans_to_its_subject_more_than_to_its_relation() -> None:
    subject, relation = np.eye(2, 4, dtype=np.float32)
    key = compose(subject[None], relation[None])[0]
    assert key @ relation == RELATION_WEIGHT * (key @ subject)
    assert key @ subject > key @ relation > 0


def test_each_distinct_text_is_encoded_once() -> None:
    encoder = CountingEncoder()
    slot_keys(encoder, SLOTS)
    assert sorted(encoder.asked) == sorted(
        {"Northwind Ferries", "chief executive", "home port", "Harbour Street 12", "occupied by"}
    )


def test_a_slot_has_the_same_key_alone_and_among_others() -> None:
    encoder = HashEncoder()
    together = slot_keys(encoder, SLOTS)
    for row, slot in enumerate(SLOTS):
        np.testing.assert_allclose(slot_keys(encoder, [slot])[0], together[row], atol=1e-6)


def test_no_slots_give_no_keys() -> None:
    assert slot_keys(HashEncoder(64), []).shape == (0, 64)


def test_the_spelling_of_a_relation_name_does_not_move_the_key() -> None:
    spellings = ["home port", "homePort", "home_port"]
    keys = slot_keys(HashEncoder(), [("MV Aurelia", name) for name in spellings])
    np.testing.assert_allclose(keys, np.repeat(keys[:1], 3, axis=0), atol=1e-6)


def test_a_question_about_a_slot_is_nearest_to_its_key() -> None:
    encoder = HashEncoder()
    questions = ["What is the home port of Northwind Ferries?", "Who occupied Harbour Street 12?"]
    scores = encoder.encode(questions) @ slot_keys(encoder, SLOTS).T
    assert scores.argmax(axis=1).tolist() == [1, 2]
