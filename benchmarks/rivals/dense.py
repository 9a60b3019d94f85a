"""Sentences by their vectors, and the fusion of two rankings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from dysk.retrieval.encoder import TextEncoder, Vectors

_RANK = 60
"""The constant of reciprocal rank fusion, as its authors have it."""


class Ranker(Protocol):
    """Scores sentences against a query; higher is better."""

    def put(self, key: str, text: str) -> None:
        """Store a sentence, in place of any other under this key."""
        ...

    def drop(self, key: str) -> None:
        """Forget a sentence, if it is known."""
        ...

    def scores(self, query: str) -> Mapping[str, float]:
        """Keys with their scores; what is left out has nothing to do with the query."""
        ...


class Dense:
    """Cosine between the query's vector and that of each whole sentence, over all of them."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self._texts: dict[str, str] = {}
        self._vectors: dict[str, Vectors] = {}
        self._stacked: tuple[list[str], Vectors] | None = None

    def put(self, key: str, text: str) -> None:
        """Store a sentence; its vector is made with those of others, when next asked."""
        self.drop(key)
        self._texts[key] = text

    def drop(self, key: str) -> None:
        """Forget a sentence and its vector."""
        self._texts.pop(key, None)
        self._vectors.pop(key, None)
        self._stacked = None

    def scores(self, query: str) -> dict[str, float]:
        """The cosine of every sentence, in [−1, 1]."""
        keys, vectors = self._all()
        if not keys:
            return {}
        cosines = vectors @ self._encoder.encode([query])[0]
        return dict(zip(keys, cosines.tolist(), strict=True))

    def _all(self) -> tuple[list[str], Vectors]:
        missing = [key for key in self._texts if key not in self._vectors]
        if missing:
            fresh = self._encoder.encode([self._texts[key] for key in missing])
            self._vectors |= dict(zip(missing, fresh, strict=True))
            self._stacked = None
        if self._stacked is None:
            keys = list(self._vectors)
            empty = np.zeros((0, self._encoder.dim), np.float32)
            self._stacked = keys, np.stack(list(self._vectors.values())) if keys else empty
        return self._stacked


class Fused:
    """Two rankings as one, by reciprocal rank (Cormack, Clarke and Büttcher, SIGIR 2009)."""

    def __init__(self, first: Ranker, second: Ranker) -> None:
        self._rankers = (first, second)

    def put(self, key: str, text: str) -> None:
        """Store a sentence in both."""
        for ranker in self._rankers:
            ranker.put(key, text)

    def drop(self, key: str) -> None:
        """Forget a sentence in both."""
        for ranker in self._rankers:
            ranker.drop(key)

    def scores(self, query: str) -> dict[str, float]:
        """The sum over both of 1 / (60 + rank)."""
        fused: dict[str, float] = {}
        for ranker in self._rankers:
            scores = ranker.scores(query)
            for rank, key in enumerate(sorted(scores, key=lambda key: -scores[key]), start=1):
                fused[key] = fused.get(key, 0.0) + 1 / (_RANK + rank)
        return fused
