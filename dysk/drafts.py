"""Guesses of what the model says next, taken from the facts that it reads.

An answer mostly repeats words of its evidence. So the tokens that follow the same words in a fact
are offered as a draft, which one forward pass verifies at once; greedy decoding keeps exactly what
it would have said by itself (Leviathan et al., arXiv 2211.17192, with n-gram look-up as the draft
model: Saxena 2023, "Prompt lookup decoding").
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 12


def continuation(said: Sequence[int], sources: Sequence[Sequence[int]], limit: int) -> list[int]:
    """Up to min(limit, 12) tokens that follow the last words said in the first source that has
    them.

    The longer match wins, from three tokens down to one.
    """
    limit = min(limit, LONGEST)
    if limit <= 0:
        return []
    for length in (3, 2, 1):
        tail = list(said[-length:])
        if len(tail) < length:
            continue
        for source in sources:
            for start in range(len(source) - length):
                if list(source[start : start + length]) == tail:
                    return list(source[start + length : start + length + limit])
    return []
