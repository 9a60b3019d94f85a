"""An answer that may only be one of a few names: greedy decoding along a trie of their tokens.

Where only one token can come next it is not asked for: the model is consulted at forks alone, so
that a choice among few names costs few passes, and one name none (De Cao et al., arXiv 2010.00904,
constrain the generation of entity names so, with beams).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

Step = Callable[[list[int]], Tensor]
"""Tokens to append -> logits [V] of what comes after the last of them."""


@dataclass(slots=True)
class _Node:
    after: dict[int, _Node] = field(default_factory=dict)
    name: str | None = None


class Trie:
    """Names by their tokens. Of names that have the same tokens the first one counts."""

    def __init__(self, tokens: Mapping[str, Sequence[int]]) -> None:
        """``tokens`` of each name. Raises ValueError if no name has any."""
        self._root = _Node()
        for name, ids in tokens.items():
            node = self._root
            for token in ids:
                node = node.after.setdefault(token, _Node())
            if ids and node.name is None:
                node.name = name
        if not self._root.after:
            raise ValueError("there is nothing to choose from: give at least one name with tokens")

    def choose(self, logits: Tensor, step: Step, ends: Collection[int]) -> tuple[str, list[int]]:
        """The name that greedy decoding arrives at, and its tokens.

        ``logits`` [V] are of the first token. At the end of a name that others go on from, the
        likeliest of ``ends`` competes with the likeliest way on.
        """
        node, said, unseen = self._root, list[int](), list[int]()
        while node.after:
            ways = list(node.after)
            if len(ways) > 1 or node.name is not None:
                if unseen:
                    logits, unseen = step(unseen), []
                token = max(ways, key=lambda way: float(logits[way]))
                if node.name is not None and _likeliest(logits, ends) > float(logits[token]):
                    break
            else:
                (token,) = ways
            said.append(token)
            unseen.append(token)
            node = node.after[token]
        assert node.name is not None  # noqa: S101 - every branch ends in a name
        return node.name, said


def _likeliest(logits: Tensor, ends: Collection[int]) -> float:
    return max((float(logits[end]) for end in ends), default=float("-inf"))
