from __future__ import annotations

from collections.abc import Callable
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.rivals.bm25 import BM25, K1, B
from benchmarks.rivals.dense import Dense, Fused, Ranker
from dysk.retrieval.encoder import HashEncoder

WORDS = st.lists(st.sampled_from(["norland", "estmark", "king", "of", "ada"]), max_size=6)
STEPS = st.lists(st.tuples(st.sampled_from("abcd"), st.none() | WORDS), max_size=12)

RANKERS: list[Callable[[], Ranker]] = [
    BM25,
    lambda: Dense(HashEncoder(64)),
    lambda: Fused(BM25(), Dense(HashEncoder(64))),
]


def textbook(sentences: dict[str, list[str]], query: list[str]) -> dict[str, float]:
    """BM25 as it stands in the book, over everything, with nothing kept between calls."""
    mean = sum(map(len, sentences.values())) / len(sentences)
    scores = {}
    for key, words in sentences.items():
        score = 0.0
        for term in query:
            n = sum(term in other for other in sentences.values())
            idf = log(1 + (len(sentences) - n + 0.5) / (n + 0.5))
            tf = words.count(term)
            if tf:
                score += idf * tf / (tf + K1 * ((1 - B) + B * len(words) / mean)) * (K1 + 1)
        if score:
            scores[key] = score
    return scores


@given(STEPS, WORDS)
def test_bm25_after_any_updates_is_the_textbook_s_over_what_remains(
    steps: list[tuple[str, list[str] | None]], query: list[str]
) -> None:
    ranker, kept = BM25(), dict[str, list[str]]()
    for key, words in steps:
        if words is None:
            ranker.drop(key)
            kept.pop(key, None)
        else:
            ranker.put(key, " ".join(words))
            kept[key] = words
    expected = textbook(kept, query) if kept else {}
    assert ranker.scores(" ".join(query)) == pytest.approx(expected)


@pytest.mark.parametrize("make", RANKERS)
@given(steps=STEPS, query=WORDS)
def test_a_ranker_that_was_updated_scores_like_a_fresh_one(
    make: Callable[[], Ranker], steps: list[tuple[str, list[str] | None]], query: list[str]
) -> None:
    updated, kept = make(), dict[str, str]()
    for key, words in steps:
        if words is None:
            updated.drop(key)
            kept.pop(key, None)
        else:
            updated.put(key, " ".join(words))
            kept.pop(key, None)
            kept[key] = " ".join(words)
    fresh = make()
    for key, text in kept.items():
        fresh.put(key, text)
    assert updated.scores(" ".join(query)) == pytest.approx(fresh.scores(" ".join(query)))


@pytest.mark.parametrize("make", RANKERS)
def test_the_sentence_that_says_most_of_the_query_comes_first(make: Callable[[], Ranker]) -> None:
    ranker = make()
    ranker.put("a", "The capital of Norland is Quillport.")
    ranker.put("b", "The capital of Estmark is Sornhaven.")
    ranker.put("c", "The king of Norland is Ada.")
    scores = ranker.scores("capital of Norland")
    assert max(scores, key=lambda key: scores[key]) == "a"


def test_vectors_are_made_once_and_only_when_asked() -> None:
    encoder = HashEncoder(64)
    encoded: list[str] = []

    class Counting(HashEncoder):
        def encode(self, texts, progress=None):  # type: ignore[no-untyped-def]
            encoded.extend(texts)
            return encoder.encode(texts)

    ranker = Dense(Counting(64))
    ranker.put("a", "one")
    ranker.put("b", "two")
    assert not encoded
    ranker.scores("query")
    ranker.scores("query")
    assert encoded == ["one", "two", "query", "query"]


def test_reciprocal_ranks_are_added() -> None:
    first, second = BM25(), BM25()
    fused = Fused(first, second)
    first.put("a", "norland")
    second.put("a", "norland")
    first.put("b", "norland estmark")
    assert fused.scores("norland") == pytest.approx({"a": 2 / 61, "b": 1 / 62})
