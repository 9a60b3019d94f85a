"""A language model of a few kilobytes with random weights: it reads and speaks, but nonsense."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from dysk.attention.fine import RetrievalHeads

HEADS = RetrievalHeads(((0, 1), (1, 0)), coarse_weight=10.0)
"""Some heads of it, which retrieve nothing; the coarse score decides."""

_CHARACTERS = sorted(set(string.printable) | set("é–“”⁂"))


def save_tiny_model(folder: Path, *, seed: int = 0, positions: int = 512) -> Path:
    """Write config, weights and a tokenizer of one token a character, as a hub folder has them."""
    vocabulary = {character: i for i, character in enumerate(["<unk>", "</s>", *_CHARACTERS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    fast: Any = PreTrainedTokenizerFast
    fast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>").save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        bos_token_id=None,
        eos_token_id=vocabulary["</s>"],
        initializer_range=0.2,  # far from uniform attention, as a trained model is
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder
