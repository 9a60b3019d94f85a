"""Real transformers models, too small to know anything, and facts for them to read."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache, PreTrainedModel

from dysk.attention import FactMemory
from dysk.attention.memory import BlockEncoder

KINDS = (
    "llama",
    "qwen2",
    "qwen3",
    "mistral",
    "gemma",
    "gemma3_text",
    "phi3",
    "olmo2",
    "smollm3",
)
WITHOUT_WINDOW = ("llama", "gemma", "olmo2")
"""A window in their configuration would change their caches, but not what they compute."""

LAYERS, HEADS, KV_HEADS, HEAD_DIM, VOCABULARY = 2, 6, 2, 16, 64


def tiny(kind: str, *, dtype: torch.dtype = torch.float32, **changes: Any) -> PreTrainedModel:
    """A causal LM of this kind with random weights: the same at every call."""
    settings: dict[str, Any] = {
        "vocab_size": VOCABULARY,
        "hidden_size": HEADS * HEAD_DIM,
        "intermediate_size": 128,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "max_position_embeddings": 128,
        "sliding_window": None if kind in WITHOUT_WINDOW else 5,
        "initializer_range": 0.2,  # large enough for attention to be far from uniform
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": None,
    }
    implementation = changes.pop("attn_implementation", "sdpa")
    config = AutoConfig.for_model(kind, **{**settings, **changes})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, attn_implementation=implementation
        )
        for parameter in model.parameters():
            if parameter.dim() == 1:  # biases start at 0 and norms at 1, which would hide mistakes
                torch.nn.init.normal_(parameter, parameter.mean().item(), 0.1)
    made: PreTrainedModel = model.to(dtype).eval().requires_grad_(False)
    return made


@dataclass(frozen=True)
class Prompt:
    """ids i64[B, L] and which of them are real, i64[B, L]."""

    ids: Tensor
    real: Tensor

    def __getitem__(self, row: int) -> Prompt:
        """One row, as a batch of its own."""
        return Prompt(self.ids[row : row + 1], self.real[row : row + 1])


def prompt(*, padded: bool = False, length: int = 9) -> Prompt:
    """Two rows; padded, the second begins with four pads."""
    ids = torch.randint(5, VOCABULARY, (2, length), generator=torch.Generator().manual_seed(1))
    real = torch.ones_like(ids)
    if padded:
        ids[1, :4] = real[1, :4] = 0
    return Prompt(ids, real)


def logits(model: PreTrainedModel, given: Prompt) -> Tensor:
    """[B, L, V] of one pass over the whole prompt."""
    result: Tensor = model(given.ids, attention_mask=given.real).logits
    return result


def decoded(model: PreTrainedModel, given: Prompt) -> Tensor:
    """The same logits from a cache: all but three tokens first, then one, then two at once."""
    cache, length = DynamicCache(config=model.config), given.ids.shape[1]
    parts, begin = [], 0
    for end in (length - 3, length - 2, length):
        output = model(
            given.ids[:, begin:end],
            attention_mask=given.real[:, :end],
            past_key_values=cache,
            use_cache=True,
        )
        parts.append(output.logits)
        begin = end
    return torch.cat(parts, 1)


def generated(model: PreTrainedModel, given: Prompt, **settings: Any) -> tuple[Tensor, Tensor]:
    """What ``generate`` says greedily: tokens i64[B, L + 5] and their logits [B, 5, V]."""
    output: Any = model.generate(  # type: ignore[operator]
        given.ids,
        attention_mask=given.real,
        max_new_tokens=5,
        do_sample=False,
        return_dict_in_generate=True,
        output_logits=True,
        **settings,
    )
    return output.sequences, torch.stack(output.logits, 1)


def blocks(sentences: Sequence[str]) -> list[tuple[Tensor, Tensor]]:
    """Random keys and values [L, T, KVH, D] that depend on the sentence only; T is 1 to 4."""
    made = []
    for sentence in sentences:
        seed = zlib.crc32(sentence.encode())
        shape = (2, LAYERS, 1 + seed % 4, KV_HEADS, HEAD_DIM)
        keys, values = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        made.append((keys, values))
    return made


def new_memory(
    dtype: torch.dtype = torch.float32,
    budget_bytes: int = 1 << 16,
    encode: BlockEncoder = blocks,
) -> FactMemory:
    return FactMemory(
        encode,
        layers=LAYERS,
        kv_heads=KV_HEADS,
        head_dim=HEAD_DIM,
        budget_bytes=budget_bytes,
        dtype=dtype,
    )


def filled_memory(dtype: torch.dtype = torch.float32) -> FactMemory:
    """Six facts in rows 0 to 5, of several lengths, with NaN wherever there is none."""
    memory = new_memory(dtype)
    for arena in (memory.keys, memory.values, memory.summary):
        arena.fill_(float("nan"))
    with memory.lease([(f"f{i}", f"Fact {i}.") for i in range(6)]) as lease:
        assert lease.rows.tolist() == list(range(6))
        assert len(set(memory.length[lease.rows].tolist())) > 2
    return memory
