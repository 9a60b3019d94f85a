"""Okapi BM25 over sentences that may change at any time.

Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", eq. 3.15,
with the inverse document frequency that Lucene uses, log(1 + (N − n + ½) / (n + ½)), which is
never negative.
"""

from __future__ import annotations

from collections import Counter
from math import log

from dysk.grounding import normalise

K1, B = 1.2, 0.75
"""Saturation of repeated words, and weight of a sentence's length: the usual values."""


class BM25:
    """Sentences by key, scored against a query by the words that both have."""

    def __init__(self) -> None:
        self._words: dict[str, Counter[str]] = {}
        self._holders: dict[str, set[str]] = {}
        self._total = 0

    def put(self, key: str, text: str) -> None:
        """Store a sentence, in place of any other under this key."""
        self.drop(key)
        words = Counter(normalise(text).split())
        self._words[key] = words
        self._total += words.total()
        for word in words:
            self._holders.setdefault(word, set()).add(key)

    def drop(self, key: str) -> None:
        """Forget a sentence, if it is known."""
        words = self._words.pop(key, None)
        if words is None:
            return
        self._total -= words.total()
        for word in words:
            self._holders[word].discard(key)

    def scores(self, query: str) -> dict[str, float]:
        """Keys of the sentences that share a word with the query, with their scores; not sorted."""
        found: dict[str, float] = {}
        if not self._words:
            return found
        mean = self._total / len(self._words)
        for word in normalise(query).split():
            holders = self._holders.get(word, ())
            rarity = log(1 + (len(self._words) - len(holders) + 0.5) / (len(holders) + 0.5))
            for key in holders:
                words = self._words[key]
                times = words[word]
                length = 1 - B + B * words.total() / mean
                found[key] = found.get(key, 0.0) + rarity * times * (K1 + 1) / (times + K1 * length)
        return found
