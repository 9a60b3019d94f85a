"""Fact blocks that are filled with a number each, so that every trace of one can be found."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dysk.attention import FactMemory

LAYERS, KV_HEADS, DIM = 2, 3, 4
TOKEN_BYTES = 2 * LAYERS * KV_HEADS * DIM * 4


class Encoder:
    """Fills the block of "7 x4" with sevens, over four tokens; remembers what it was given."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.broken = False

    def __call__(self, sentences: Sequence[str]) -> list[tuple[Tensor, Tensor]]:
        self.calls.append(list(sentences))
        if self.broken:
            raise OSError("the model is gone")
        return [block(sentence) for sentence in sentences]


def block(sentence: str) -> tuple[Tensor, Tensor]:
    mark, length = map(float, sentence.split(" x"))
    keys = torch.full((LAYERS, int(length), KV_HEADS, DIM), mark)
    return keys, -keys


def memory_of(slots: int, encoder: Encoder | None = None) -> FactMemory:
    """Room for this many tokens, and for a quarter as many blocks."""
    memory = FactMemory(
        encoder or Encoder(),
        layers=LAYERS,
        kv_heads=KV_HEADS,
        head_dim=DIM,
        budget_bytes=slots * TOKEN_BYTES,
    )
    for arena in (memory.keys, memory.values, memory.summary):
        arena.zero_()  # so that only blocks leave traces
    return memory


def facts(*marks: int, length: int = 4) -> list[tuple[str, str]]:
    return [(f"f{mark}", f"{mark} x{length}") for mark in marks]


def read(memory: FactMemory, row: int) -> tuple[Tensor, Tensor]:
    """Keys and values [L, T, KVH, D] that the op would read."""
    start = int(memory.start[row])
    slots = slice(start, start + int(memory.length[row]))
    return memory.keys[:, slots], memory.values[:, slots]


def holds(memory: FactMemory, row: int, sentence: str) -> bool:
    """The row is the block of this sentence, and its summary the mean of its keys."""
    keys, values = block(sentence)
    held_keys, held_values = read(memory, row)
    return (
        torch.equal(held_keys, keys)
        and torch.equal(held_values, values)
        and torch.equal(memory.summary[:, row], keys.mean(1))
    )


def traces(memory: FactMemory, mark: int) -> int:
    """How many numbers anywhere in the memory come from this fact."""
    arenas = (memory.keys, memory.values, memory.summary)
    return sum(int((arena.abs() == mark).sum()) for arena in arenas)
