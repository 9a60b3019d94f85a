"""Let a transformers causal LM read the fact memory, reversibly.

``attach`` switches the model to an attention function that is registered with transformers under
the name ``dysk``. While nothing is read it calls the very function that the untouched model calls
(``sdpa``), so logits are bit-identical; inside ``reading(...)`` each layer also attends to the
chosen facts with the sparse knowledge attention op and merges both by log-sum-exp. No weight, no
module and no method of the model is changed.

The state lives on the attention modules, since ``generate`` passes no extra arguments through. The
mask function must be registered beside the attention function: without it transformers builds no
padding mask.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from dysk.attention.memory import FactMemory
from dysk.attention.selfattention import self_attention
from dysk.errors import DyskError
from dysk.ops import block_mass, merge_attention, sparse_knowledge_attention

_NAME = "dysk"
_STATE = "dysk_attachment"


class Unattachable(DyskError):
    """The model's attention cannot be extended: not a decoder of a supported kind, or attached
    already.
    """

    code = "unattachable"


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

    def shares(self, row: int = 0) -> list[float]:
        """Each candidate's share of the watched heads' attention, in [0, 1]; a mean over passes."""
        heads = sum(map(len, self.watched.values()))
        if self.mass is None or not heads:
            return [0.0] * self.candidates.shape[1]
        average = self.mass[row] / (heads * self.steps)
        return [round(share, 4) for share in average.clamp(0, 1).tolist()]


class Attachment:
    """A model that can read facts. ``detach`` gives the model back as it was."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self._modules = _attention_modules(model)
        if any(hasattr(module, _STATE) for module in self._modules):
            raise Unattachable("this model is attached already: detach it first")
        self._before = model.config._attn_implementation
        self.active: Reading | Probe | None = None
        for module in self._modules:
            setattr(module, _STATE, self)
        model.set_attn_implementation(_NAME)

    @contextmanager
    def reading(self, reading: Reading) -> Iterator[Reading]:
        """Forward passes inside attend to these facts."""
        with self._activate(reading):
            yield reading

    @contextmanager
    def probing(self, layers: frozenset[int]) -> Iterator[Probe]:
        """One forward pass inside records its queries and ends after the last of ``layers``."""
        probe = Probe(layers)
        with self._activate(probe):
            try:
                yield probe
            except EnoughLayers:
                return

    @contextmanager
    def _activate(self, state: Reading | Probe) -> Iterator[None]:
        if self.active is not None:
            raise Unattachable("this model is reading already: one reading at a time")
        self.active = state
        try:
            yield
        finally:
            self.active = None

    def detach(self) -> PreTrainedModel:
        """Restore the attention implementation that the model came with. Safe to call twice."""
        mine = [module for module in self._modules if getattr(module, _STATE, None) is self]
        for module in mine:
            delattr(module, _STATE)
        if mine:
            self.model.set_attn_implementation(self._before)
        return self.model


def attach(model: PreTrainedModel) -> Attachment:
    """Attach to any transformers causal LM whose attention goes through AttentionInterface.

    Raises Unattachable for others. Attached and idle, logits equal the untouched ``sdpa`` model's
    bit for bit.
    """
    return Attachment(model)


def _attention_modules(model: PreTrainedModel) -> list[nn.Module]:
    config: Any = model.config.get_text_config()
    modules = [
        module
        for module in model.modules()
        if hasattr(module, "layer_idx")
        and (hasattr(module, "q_proj") or hasattr(module, "qkv_proj"))
    ]
    if len(modules) != config.num_hidden_layers:
        raise Unattachable(
            f"{type(model).__name__} has {len(modules)} attention layers of a known kind for "
            f"{config.num_hidden_layers} layers: dysk reads through decoder models with rotary "
            "positions such as llama, qwen, mistral, gemma, phi or smollm"
        )
    if getattr(config, "attn_logit_softcapping", None):
        raise Unattachable("the model caps its attention logits (softcap), which sdpa cannot do")
    # Some attention classes have the right parts but call no registered function, and would read
    # nothing; others add to the softmax what sdpa leaves out (sinks).
    if not (model._supports_sdpa and model._can_set_attn_implementation()):
        raise Unattachable(
            f"{type(model).__name__} cannot run on sdpa through AttentionInterface, which is "
            "where dysk reads facts: choose another model"
        )
    return modules


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Query [B, H, Q, D], key and value [B, KVH, L, D] -> output [B, Q, H, D]."""
    attachment: Attachment | None = getattr(module, _STATE, None)
    state = attachment.active if attachment is not None else None
    layer = int(module.layer_idx)  # type: ignore[arg-type]
    idle = (
        state is None
        or (isinstance(state, Probe) and layer not in state.layers)
        or (isinstance(state, Reading) and _reads_nothing(state, layer))
    )
    if state is None or idle:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    out, lse = self_attention(query, key, value, attention_mask, scale)
    if isinstance(state, Probe):
        state.seen[layer] = (query, lse, scale)
        if state.is_complete:
            raise EnoughLayers
    else:
        if state.second_look is not None and layer in state.second_look.probe.layers:
            _look_again(state, layer, (query, lse, scale))
        empty = state.empty_rows
        if empty is not None:
            # Promise 3 holds row by row: rows without a candidate get the untouched function's
            # bits.
            plain, _ = sdpa_attention_forward(
                module, query, key, value, attention_mask, scaling=scaling, **kwargs
            )
            out = torch.where(empty[:, None, None, None], plain.transpose(1, 2), out)
        out = _read(state, layer, query, out, lse, scale)
    return out.transpose(1, 2).contiguous(), None


def _reads_nothing(reading: Reading, layer: int) -> bool:
    return (
        layer < reading.first_layer
        or reading.k == 0
        or reading.gate == float("-inf")
        or reading.is_empty
    )


def _look_again(reading: Reading, layer: int, seen: tuple[Tensor, Tensor, float]) -> None:
    look = reading.second_look
    assert look is not None  # noqa: S101 - the caller has seen it
    look.probe.seen[layer] = seen
    if look.probe.is_complete:
        reading.second_look = None
        if not look.agrees(look.probe):
            raise Reconsidered


def _read(
    reading: Reading, layer: int, query: Tensor, out: Tensor, lse: Tensor, scale: float
) -> Tensor:
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


AttentionInterface.register(_NAME, _attention)
AttentionMaskInterface.register(_NAME, sdpa_mask)
