"""A stand-in for the language model that knows which fact answers which question.

One of its heads may be made to look at the right fact; all others look about at random.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dysk.attention import Probe
from dysk.attention.heads import _sentence
from dysk.attention.invented import InventedFact, invent
from dysk.retrieval.encoder import HashEncoder, Progress, Vectors
from dysk.retrieval.keys import slot_keys
from tests.dysk.attention.tiny import HEAD_DIM, HEADS, KV_HEADS, LAYERS, new_memory


class StandIn:
    """What ``find_heads`` needs of a LanguageModel. ``perfect`` is a (layer, head) or None."""

    name = "stand-in"

    def __init__(
        self, perfect: tuple[int, int] | None, questions: int = 120, fingerprint: str = "0" * 16
    ) -> None:
        self.perfect = perfect
        self.fingerprint = fingerprint
        self.memory = new_memory(budget_bytes=1 << 20, encode=_code_blocks)
        self._facts: list[InventedFact] = invent(3 * questions)
        self.probes = 0

    def question_ids(self, question: str) -> list[int]:
        """One token, which is the number of the fact asked about."""
        return [next(i for i, fact in enumerate(self._facts) if fact.question == question)]

    def probe(self, question_ids: list[int], layers: frozenset[int], span: int) -> Probe:
        assert span > 0
        self.probes += 1
        [number] = question_ids
        generator = torch.Generator().manual_seed(number)
        seen: dict[int, Any] = {}
        for layer in layers:
            query = torch.randn(1, HEADS, 1, HEAD_DIM, generator=generator)
            if self.perfect is not None and self.perfect[0] == layer:
                query[0, self.perfect[1], 0] = 3 * _code(_sentence(self._facts[number]))
            seen[layer] = (query, torch.zeros(1, HEADS, 1), 1.0)
        return Probe(layers, seen)


def _code(sentence: str) -> Tensor:
    """A direction that stands for the sentence, [D]."""
    generator = torch.Generator().manual_seed(zlib.crc32(sentence.encode()))
    return torch.randn(HEAD_DIM, generator=generator)


def _code_blocks(sentences: Sequence[str]) -> list[tuple[Tensor, Tensor]]:
    """Blocks of one token whose key is the code, in every layer and head."""
    keys = [_code(text).expand(LAYERS, 1, KV_HEADS, HEAD_DIM) for text in sentences]
    return [(key, key) for key in keys]


class SteeredEncoder(HashEncoder):
    """Puts a question right at the key of its answer (+1), right opposite (−1), or nowhere (0)."""

    def __init__(self, towards: int) -> None:
        super().__init__()
        facts = invent(360)
        keys = slot_keys(HashEncoder(), [(fact.subject, fact.relation) for fact in facts])
        self._questions = {
            fact.question: towards * key for fact, key in zip(facts, keys, strict=True)
        }

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        vectors = super().encode(texts, progress)
        for row, text in enumerate(texts):
            vectors[row] = self._questions.get(text, vectors[row])
        return vectors
