"""The forward pass of a BERT encoder, for a short text and one thread: half the time of the general
one.

A question is 10 to 30 tokens, so reading the weights is most of the work. Here they are laid out
once in the order in which the processor wants them, queries, keys and values are one product, and
where the processor multiplies bfloat16 in hardware, the weights are half as long (what that
changes: docs/retrieval.md). The sum along the layers stays float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_Linear = Callable[..., Tensor]
_LIKELY_ROWS = 16
"""The layout of the weights suits about so many tokens best; any number is right."""


def best_dtype() -> torch.dtype:
    """bfloat16 where this processor multiplies it in hardware, else float32."""
    has_it = _has_onednn() and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if has_it else torch.float32


def is_plain_bert(model: torch.nn.Module) -> bool:
    """Whether ``Bert`` computes what this transformers model does."""
    config: Any = model.config
    return (
        config.model_type == "bert"
        and config.hidden_act == "gelu"
        and not config.is_decoder
        and getattr(config, "position_embedding_type", "absolute") == "absolute"
    )


class Bert:
    """The last hidden states of a transformers ``BertModel`` on the CPU, with its weights copied
    in ``dtype``.
    """

    def __init__(self, model: torch.nn.Module, dtype: torch.dtype) -> None:
        """``model`` is one for which ``is_plain_bert`` holds."""
        plain: Any = model
        embeddings = plain.embeddings
        self._words = embeddings.word_embeddings.weight.detach()
        # Every token of a lone text is of the first type.
        first_type = embeddings.token_type_embeddings.weight.detach()[0]
        self._positions = embeddings.position_embeddings.weight.detach() + first_type
        self._norm = _norm(embeddings.LayerNorm)
        heads = int(plain.config.num_attention_heads)
        self._layers = [_Layer(layer, heads, dtype) for layer in plain.encoder.layer]

    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        """float32 [N, T, dim] of token ids int64 [N, T]; ``mask`` [N, T] is 0 for padding."""
        hidden = self._norm(self._words[ids] + self._positions[: ids.shape[1]])
        seen = None if ids.shape[0] == 1 else mask.bool()[:, None, None, :]  # [N, 1, 1, T]
        for layer in self._layers:
            hidden = layer(hidden, seen)
        return hidden


class _Layer:
    """Attention and a two-layer network, each added to what came in and normalised."""

    def __init__(self, layer: Any, heads: int, dtype: torch.dtype) -> None:
        of = layer.attention.self
        self._heads, self._dtype = heads, dtype
        self._queries_keys_values = _linear(
            torch.cat([of.query.weight, of.key.weight, of.value.weight]),
            torch.cat([of.query.bias, of.key.bias, of.value.bias]),
            dtype,
        )
        self._mix = _linear_of(layer.attention.output.dense, dtype)
        self._widen = _linear_of(layer.intermediate.dense, dtype, gelu=True)
        self._narrow = _linear_of(layer.output.dense, dtype)
        self._norm_attention = _norm(layer.attention.output.LayerNorm)
        self._norm_output = _norm(layer.output.LayerNorm)

    def __call__(self, hidden: Tensor, seen: Tensor | None) -> Tensor:
        """[N, T, dim] → [N, T, dim]; ``seen`` [N, 1, 1, T] tells the tokens from padding."""
        texts, tokens, dim = hidden.shape
        projected = self._queries_keys_values(hidden.to(self._dtype))
        by_head = projected.view(texts, tokens, 3, self._heads, dim // self._heads)
        queries, keys, values = by_head.permute(2, 0, 3, 1, 4)  # each [N, heads, T, dim / heads]
        mixed = functional.scaled_dot_product_attention(queries, keys, values, seen)
        joined = mixed.transpose(1, 2).reshape(texts, tokens, dim)
        hidden = self._norm_attention(hidden + self._mix(joined))
        return self._norm_output(hidden + self._narrow(self._widen(hidden.to(self._dtype))))


def _has_onednn() -> bool:
    return bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]


def _norm(norm: Any) -> Callable[[Tensor], Tensor]:
    weight, bias, epsilon = norm.weight.detach(), norm.bias.detach(), norm.eps
    return lambda x: functional.layer_norm(x, weight.shape, weight, bias, epsilon)


def _linear_of(module: Any, dtype: torch.dtype, *, gelu: bool = False) -> _Linear:
    return _linear(module.weight, module.bias, dtype, gelu=gelu)


def _linear(weight: Tensor, bias: Tensor, dtype: torch.dtype, *, gelu: bool = False) -> _Linear:
    """``x @ weight.T + bias``, through oneDNN with the weight laid out beforehand where torch has
    it.
    """
    weight, bias = weight.detach().to(dtype), bias.detach().to(dtype)
    if not _has_onednn():
        if gelu:
            return lambda x: functional.gelu(functional.linear(x, weight, bias))
        return lambda x: functional.linear(x, weight, bias)
    multiply = torch.ops.mkldnn._linear_pointwise  # what torch.compile makes of a linear layer
    laid_out = torch.ops.mkldnn._reorder_linear_weight(weight, _LIKELY_ROWS)
    then: tuple[str, list[Any], str] = ("gelu", [], "none") if gelu else ("none", [], "")
    return lambda x: multiply(x, laid_out, bias, *then)
