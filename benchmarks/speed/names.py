"""Invented words: facts that no model can know, so that a right answer was read and not
remembered.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

_STARTS = ("b", "br", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "st", "t", "v")
_VOWELS = ("a", "e", "i", "o", "u")
_ENDS = ("l", "m", "n", "r", "s", "x")


def invented_words(seed: int) -> Iterator[str]:
    """Pronounceable capitalised words of three syllables, no two alike, the same for the same
    seed.
    """
    chance = random.Random(seed)  # noqa: S311 (names, not secrets)
    seen: set[str] = set()
    while True:
        syllables = [chance.choice(_STARTS) + chance.choice(_VOWELS) for _ in range(3)]
        word = ("".join(syllables) + chance.choice(_ENDS)).capitalize()
        if word not in seen:
            seen.add(word)
            yield word
