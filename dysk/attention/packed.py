"""Forward passes of several requests as one: their tokens stand in one row, without padding.

The linear layers see one matrix, so the weights are read from memory once for all. Attention goes
request by request: each attends to its own cache and reads its own facts, and what ends one of them
(a second look that disagrees, an error) ends no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from dysk.attention.knowledge import Reading, SecondLook, read
from dysk.attention.selfattention import self_attention

_STEADY_ROTARY = frozenset({"default", "linear", "llama3", "yarn", "proportional"})
_KNOWN_LAYERS = frozenset({"full_attention", "sliding_attention"})


class AllEnded(Exception):
    """Raised inside a packed pass in which no request is left."""


@dataclass(slots=True, eq=False)
class Part:
    """One request of a packed pass: ``length`` tokens behind those of ``cache``, and its facts.

    ``error`` is what ended it, Reconsidered included.
    """

    length: int
    cache: DynamicCache
    reading: Reading | None
    error: Exception | None = None
    _cached: int = field(init=False)
    _before: tuple[Tensor | None, int, SecondLook | None] | None = field(init=False)

    def __post_init__(self) -> None:
        reading = self.reading
        self._cached = self.cache.get_seq_length()
        self._before = (
            None if reading is None else (reading.mass, reading.steps, reading.second_look)
        )

    def attend(
        self,
        layer: int,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        scale: float,
        mask: Tensor | None,
    ) -> Tensor:
        """query [1, H, Q, D], key and value [1, KVH, Q, D] of these tokens -> [1, H, Q, D]."""
        key, value = self.cache.update(key, value, layer)
        out, lse = self_attention(query, key, value, mask, scale)
        if self.reading is None or self.reading.is_idle(layer):
            return out
        return read(self.reading, layer, query, out, lse, scale)

    def mask(self, window: int | None) -> Tensor | None:
        """Which keys each token may see, bool [1, 1, Q, L]; None for all before it."""
        length = self._cached + self.length
        reach = length if window is None else min(window, length)
        if reach == length and (self.length == 1 or self._cached == 0):
            return None
        behind = torch.arange(self._cached, length)[:, None] - torch.arange(length)
        return ((behind >= 0) & (behind < reach))[None, None]

    def undo(self) -> None:
        """Cache and reading as they were, so that the pass can be tried again."""
        layers: Any = self.cache.layers
        for layer in layers:
            layer.crop(self._cached - layer.get_seq_length())
        if self.reading is not None and self._before is not None:
            self.reading.mass, self.reading.steps, self.reading.second_look = self._before


class Pack:
    """Requests that share a forward pass, in the order of their tokens in the row."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._masks: dict[int | None, list[Tensor | None]] = {}

    def attend(
        self,
        layer: int,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        scale: float,
        window: int | None,
    ) -> Tensor:
        """query [1, H, Q, D], key and value [1, KVH, Q, D] of the row -> [1, H, Q, D].

        Tokens of a request that has ended get zeros. Raises AllEnded where none goes on.
        """
        if window not in self._masks:
            self._masks[window] = [part.mask(window) for part in self._parts]
        out = torch.zeros_like(query)
        begin = 0
        for part, mask in zip(self._parts, self._masks[window], strict=True):
            at = slice(begin, begin + part.length)
            begin += part.length
            if part.error is not None:
                continue
            own = (query[:, :, at], key[:, :, at], value[:, :, at])
            try:
                out[:, :, at] = part.attend(layer, *own, scale, mask)
            except Exception as error:
                part.error = error
        if all(part.error is not None for part in self._parts):
            raise AllEnded
        return out


class PassedOn(DynamicCache):
    """The cache of a packed pass: it keeps nothing, since each request keeps its own tokens."""

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Keys and values of the row, as they came."""
        return key_states, value_states


def is_packable(config: Any) -> bool:
    """Requests of such a model can share a pass: neither its masks nor its positions depend on
    what else stands in the row.

    ``config`` is the text model's. Rotary positions that change with the longest of a pass would
    be another model for the shorter ones.
    """
    if not set(getattr(config, "layer_types", None) or ()) <= _KNOWN_LAYERS:
        return False
    settings = getattr(config, "rope_parameters", None) or {}
    by_layer_type = [one for one in settings.values() if isinstance(one, dict)]
    return all(
        one.get("rope_type", "default") in _STEADY_ROTARY for one in by_layer_type or [settings]
    )
