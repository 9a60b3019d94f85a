"""Words that mean nothing, put together from syllables, and ordinal numbers."""

from __future__ import annotations

import random

_ONSETS = "b br d dr f g gr h j k kl l m n p pr r s sk st t tr v w z".split()  # noqa: SIM905
_NUCLEI = ["a", "e", "i", "o", "u", "ai", "ea", "ou"]
_CODAS = ["l", "ld", "m", "n", "nd", "nt", "r", "rk", "rn", "s", "sk", "st", "t", "th", "x"]


def syllables(rng: random.Random, fewest: int, most: int) -> str:
    """A capitalised word of so many syllables."""
    count = rng.randint(fewest, most)
    word = "".join(rng.choice(_ONSETS) + rng.choice(_NUCLEI) for _ in range(count))
    return (word + rng.choice(_CODAS)).capitalize()


def numeral(n: int) -> str:
    """1st, 2nd, 3rd, 4th, …, 11th."""
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(n % 10 if n not in (11, 12, 13) else 0, "th")
    return f"{n}{suffix}"
