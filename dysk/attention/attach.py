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

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from dysk.attention.knowledge import EnoughLayers, Probe, Reading, read
from dysk.attention.packed import Pack
from dysk.attention.selfattention import self_attention
from dysk.errors import DyskError

_NAME = "dysk"
_STATE = "dysk_attachment"


class Unattachable(DyskError):
    """The model's attention cannot be extended: not a decoder of a supported kind, or attached
    already.
    """

    code = "unattachable"


class Attachment:
    """A model that can read facts. ``detach`` gives the model back as it was."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        self._modules = _attention_modules(model)
        if any(hasattr(module, _STATE) for module in self._modules):
            raise Unattachable("this model is attached already: detach it first")
        self._before = model.config._attn_implementation
        self.active: Reading | Probe | Pack | None = None
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
    def packing(self, pack: Pack) -> Iterator[None]:
        """One forward pass inside computes the rows of several, each with its own facts."""
        with self._activate(pack):
            yield

    @contextmanager
    def _activate(self, state: Reading | Probe | Pack) -> Iterator[None]:
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
    if isinstance(state, Pack):
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        packed = state.attend(layer, query, key, value, scale, kwargs.get("sliding_window"))
        return packed.transpose(1, 2).contiguous(), None
    idle = (
        state is None
        or (isinstance(state, Probe) and layer not in state.layers)
        or (isinstance(state, Reading) and state.is_idle(layer))
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
        empty = state.empty_rows
        if empty is not None:
            # Promise 3 holds row by row: rows without a candidate get the untouched function's
            # bits.
            plain, _ = sdpa_attention_forward(
                module, query, key, value, attention_mask, scaling=scaling, **kwargs
            )
            out = torch.where(empty[:, None, None, None], plain.transpose(1, 2), out)
        out = read(state, layer, query, out, lse, scale)
    return out.transpose(1, 2).contiguous(), None


AttentionInterface.register(_NAME, _attention)
AttentionMaskInterface.register(_NAME, sdpa_mask)
