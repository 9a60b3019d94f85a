"""What forward passes read and record beside their own context: the facts of an ask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from dysk.attention.memory import FactMemory
from dysk.ops import block_mass, merge_attention, sparse_knowledge_attention


class EnoughLayers(Exception):
    """Raised inside a forward pass once the last layer that a Probe wants has been seen."""


class Reconsidered(Exception):
    """Raised inside a forward pass whose SecondLook asks for other facts than are being read."""


@dataclass(slots=True)
class Probe:
    """Collects queries and self-attention log-sum-exp of whole layers.

    ``seen[layer]`` = (query [B, H, Q, D] after rotary positions, lse f32[B, H, Q], softmax scale).
    """

    layers: frozenset[int]
    seen: dict[int, tuple[Tensor, Tensor, float]] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Every layer has been seen."""
        return len(self.seen) == len(self.layers)


@dataclass(slots=True)
class SecondLook:
    """A choice made while a guess is already being read.

    The pass that reads the guess fills ``probe``; once that is complete, ``agrees`` is called with
    it, and the pass goes on, or ends in Reconsidered.
    """

    probe: Probe
    agrees: Callable[[Probe], bool]


@dataclass(slots=True)
class Reading:
    """What the model attends to beside its own context.

    ``candidates`` i64[B, C] are block rows of ``memory`` (−1 pads), of which each query keeps
    ``k``; ``prior`` f32[B, C] is added to the logits of a block; ``temperature`` divides q·k·scale
    of knowledge tokens; ``gate`` is added to the knowledge log-sum-exp (−inf closes it). Layers
    below ``first_layer`` read nothing. For ``watched`` (layer, head) pairs ``mass`` sums each
    candidate's share of the whole attention at ``watch_position`` of every forward pass, f32[B, C],
    and ``steps`` counts those passes. A ``second_look`` is taken in the first forward pass.
    """

    memory: FactMemory
    candidates: Tensor
    k: int
    prior: Tensor | None = None
    temperature: float = 0.8
    gate: float = 0.0
    first_layer: int = 0
    watched: dict[int, list[int]] = field(default_factory=dict)
    watch_position: int = -1
    mass: Tensor | None = None
    steps: int = 0
    second_look: SecondLook | None = None
    is_empty: bool = field(init=False)
    """No row has a candidate."""
    empty_rows: Tensor | None = field(init=False)
    """Which rows have none, bool[B]; None where each has one."""

    def __post_init__(self) -> None:
        # Looked at once: inside a forward pass it would break the graph of torch.compile.
        empty = (self.candidates < 0).all(1)
        self.is_empty = bool(empty.all())
        self.empty_rows = empty if bool(empty.any()) else None

    def is_idle(self, layer: int) -> bool:
        """This layer reads nothing."""
        return (
            layer < self.first_layer or self.k == 0 or self.gate == float("-inf") or self.is_empty
        )

    def shares(self, row: int = 0) -> list[float]:
        """Each candidate's share of the watched heads' attention, in [0, 1]; a mean over passes."""
        heads = sum(map(len, self.watched.values()))
        if self.mass is None or not heads:
            return [0.0] * self.candidates.shape[1]
        average = self.mass[row] / (heads * self.steps)
        return [round(share, 4) for share in average.clamp(0, 1).tolist()]


def read(
    reading: Reading, layer: int, query: Tensor, out: Tensor, lse: Tensor, scale: float
) -> Tensor:
    """What a layer's self-attention becomes once it has read the facts as well.

    query and ``out`` are [B, H, Q, D], lse f32[B, H, Q]. Raises Reconsidered where the second look
    that is due in this layer disagrees.
    """
    if reading.second_look is not None and layer in reading.second_look.probe.layers:
        _look_again(reading, reading.second_look, layer, (query, lse, scale))
    memory = reading.memory
    known, known_lse, selected = sparse_knowledge_attention(
        query,
        memory.keys[layer],
        memory.values[layer],
        memory.summary[layer],
        memory.start,
        memory.length,
        reading.candidates,
        reading.prior,
        k=reading.k,
        scale=scale,
        temperature=reading.temperature,
        check_indices=False,
    )
    merged, merged_lse = merge_attention(out, lse, known, known_lse + reading.gate)
    if layer in reading.watched:
        _watch(reading, layer, query, selected, merged_lse, scale)
    return merged


def _look_again(
    reading: Reading, look: SecondLook, layer: int, seen: tuple[Tensor, Tensor, float]
) -> None:
    look.probe.seen[layer] = seen
    if look.probe.is_complete:
        reading.second_look = None
        if not look.agrees(look.probe):
            raise Reconsidered


def _watch(
    reading: Reading, layer: int, query: Tensor, selected: Tensor, total_lse: Tensor, scale: float
) -> None:
    """Add each candidate's share of the attention of the watched heads at the watched position."""
    memory, heads = reading.memory, reading.watched[layer]
    at = [reading.watch_position]
    share = block_mass(
        query[:, :, at],
        memory.keys[layer],
        memory.start,
        memory.length,
        reading.candidates,
        reading.prior,
        selected[:, :, at],
        total_lse[:, :, at] - reading.gate,
        scale,
        reading.temperature,
    )[:, :, 0]
    group = query.shape[1] // selected.shape[1]
    for head in heads:
        chosen = selected[:, head // group, reading.watch_position]  # [B, k]
        is_candidate = reading.candidates[:, :, None] == chosen[:, None, :]
        mass = (is_candidate * share[:, head, None, :]).sum(-1)
        reading.mass = mass if reading.mass is None else reading.mass + mass
    if layer == max(reading.watched):
        reading.steps += 1
