"""The frozen language model: prompts with cached prefixes, fact blocks, and greedy speech.

Positions are laid out as ``prefix | facts | question | answer``. The facts of an ask all occupy the
same positions, right after the prefix that they were encoded behind; the question starts after the
longest of them, as it would in a prompt that held one fact. Nothing of a fact enters the prompt
unless the mode is rag or hybrid.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache
from transformers.utils import logging

from dysk.attention import Attachment, FactMemory, Reading, attach
from dysk.drafts import continuation
from dysk.errors import InvalidQuestion, ModelUnavailable
from dysk.interruption import go_on
from dysk.models import fingerprint
from dysk.passes import Passes, Step
from dysk.trie import Trie

INSTRUCTION = "Use these facts to answer the question.\n"
_SENTINEL = "\u2042"
_SENTENCE_END = re.compile(r"\w{5,}[.!?]$")
# Facts are listed with dashes, and a model that repeats one may begin with its dash.
_LIST_MARK = re.compile(r"^\s*-\s+")
_BATCH = 16

Layers = list[tuple[Tensor, Tensor]]
"""Keys and values [B, KVH, T, D] of each layer."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the model said, in how many tokens, and what it cost in milliseconds."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    prefill_ms: float
    decode_ms: float


@dataclass(frozen=True, slots=True)
class _Prefix:
    ids: list[int]
    layers: Layers


class LanguageModel:
    """A causal LM with a fact memory. Thread-safe: those who speak at once share forward passes."""

    def __init__(self, folder: Path, *, memory_bytes: int = 512 << 20) -> None:
        try:
            logging.disable_progress_bar()
            self.model: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, attn_implementation="sdpa", local_files_only=True
            )
            self.model.eval()
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:
            raise ModelUnavailable(
                f"the language model in {folder} cannot be loaded ({error}). If it is in the "
                "cache of dysk, delete it and it will be made again; else check the files"
            ) from error
        self.model.requires_grad_(False)
        self.name = folder.name
        self.fingerprint = fingerprint(folder)
        config = self.model.config.get_text_config()
        self.attachment: Attachment = attach(self.model)
        self.passes = Passes(self.model, self.attachment)
        # A fast tokenizer refuses to be set up for one text while it reads another.
        self._tokenizing = threading.Lock()
        self.memory = FactMemory(
            self.encode_blocks,
            layers=config.num_hidden_layers,
            kv_heads=config.num_key_value_heads,
            head_dim=getattr(config, "head_dim", None)
            or config.hidden_size // config.num_attention_heads,
            budget_bytes=memory_bytes,
        )
        self.max_tokens = int(config.max_position_embeddings)
        head, self._tail = self._chat_frame()
        self._closed_prefix = self._prefix(head)
        self._facts_prefix = self._prefix(head + INSTRUCTION)
        self._stop = self._stop_tokens()

    # -- blocks ---------------------------------------------------------------------------------

    @torch.inference_mode()
    def encode_blocks(self, sentences: Sequence[str]) -> list[tuple[Tensor, Tensor]]:
        """Keys and values [L, T, KVH, D] of each sentence, encoded alone behind the facts prefix.

        Sentences of one length share a batch, so no padding is computed.
        """
        ids = [self.fact_ids(sentence) for sentence in sentences]
        blocks: dict[int, tuple[Tensor, Tensor]] = {}
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        while order:
            go_on()
            length = len(ids[order[0]])
            batch = [i for i in order[:_BATCH] if len(ids[i]) == length]
            order = order[len(batch) :]
            with self.passes.apart():
                layers = self._encode_batch(torch.tensor([ids[i] for i in batch]))
            for row, i in enumerate(batch):
                blocks[i] = (
                    torch.stack([keys[row].transpose(0, 1) for keys, _ in layers]),
                    torch.stack([values[row].transpose(0, 1) for _, values in layers]),
                )
        return [blocks[i] for i in range(len(ids))]

    def _encode_batch(self, ids: Tensor) -> Layers:
        prefix = self._facts_prefix
        cache = _cache(prefix.layers, batch=len(ids))
        start = len(prefix.ids)
        self.model.base_model(
            ids,
            past_key_values=cache,
            position_ids=torch.arange(start, start + ids.shape[1])[None],
            use_cache=True,
        )
        return [(keys[:, :, start:], values[:, :, start:]) for keys, values in _layers(cache)]

    # -- prompts --------------------------------------------------------------------------------

    def question_ids(self, question: str, *, closed: bool = False) -> list[int]:
        """Tokens from the question to where the answer begins. Raises InvalidQuestion when too
        long.
        """
        asked = question if closed else f"\nQuestion: {question}"
        ids = self._text_ids(asked) + self._ids(self._tail)
        if len(ids) > self.max_tokens // 2:
            raise InvalidQuestion(
                f"the question has {len(ids)} tokens and the model reads {self.max_tokens} in all: "
                "ask a shorter question"
            )
        return ids

    def fact_ids(self, sentence: str) -> list[int]:
        """Tokens of a fact in a rag prompt: the very ones that its block is made of."""
        return self._text_ids(f"- {sentence}\n")

    def draft_ids(self, sentence: str) -> list[int]:
        """Tokens of a fact as an answer would begin with it."""
        return self._text_ids(sentence)

    # -- passes ---------------------------------------------------------------------------------

    @torch.inference_mode()
    def probe(self, question_ids: list[int], layers: frozenset[int], span: int) -> Any:
        """Queries of the plain question in these layers; the pass stops after the last of them.

        ``span`` is the longest block of the facts that will be scored: the question stands behind
        it.
        """
        start = len(self._facts_prefix.ids) + span
        with self.passes.apart(), self.attachment.probing(layers) as probe:
            self.model(
                torch.tensor([question_ids]),
                past_key_values=_cache(self._facts_prefix.layers),
                position_ids=torch.arange(start, start + len(question_ids))[None],
                use_cache=True,
            )
        return probe

    @torch.inference_mode()
    def log_probabilities(self, question_ids: list[int], names: Sequence[str]) -> list[float]:
        """Of each name as what the answer begins with, no fact being read."""
        cache = _cache(self._facts_prefix.layers)
        start = len(self._facts_prefix.ids)
        with self.passes.speaking():
            first = self.passes.run(Step(question_ids, cache, start, 1, None))
            return self._log_probabilities(names, first, cache, start + len(question_ids))

    @torch.inference_mode()
    def speak(
        self,
        question_ids: list[int],
        *,
        reading: Reading | None = None,
        span: int = 0,
        context: Sequence[list[int]] = (),
        closed: bool = False,
        opening: str = "",
        drafts: Sequence[list[int]] = (),
        allowed: Sequence[str] = (),
        priors: Sequence[float] = (),
        max_tokens: int = 48,
    ) -> Spoken:
        """Greedy decoding to the end of the sentence or line, or to one of the ``allowed`` names.

        ``reading`` attends to facts (``span`` is their longest block); ``context`` puts facts'
        tokens into the prompt; ``opening`` is what the answer begins with; ``drafts`` are token
        sequences that the answer may repeat: whatever of them the model would have said anyway is
        verified many tokens at a time, and the text is the same without them, but that a
        full stop inside a name is taken for the end. ``allowed`` names are said whole, however long
        they are, and take neither ``opening`` nor ``drafts``. Given ``priors``, their
        ``log_probabilities``, it is the name that gains most by what is read; this is for contexts
        of several facts, not for a ``reading``.
        """
        prefix = self._closed_prefix if closed else self._facts_prefix
        prompt = (
            [token for fact in context for token in fact] + question_ids + self._text_ids(opening)
        )
        cache = _cache(prefix.layers)
        start = len(prefix.ids) + span
        began = time.perf_counter()
        with self.passes.speaking():
            if allowed:
                text, said, first = self._choose(prompt, cache, start, allowed, priors, reading)
            else:
                said, first = self._speak(prompt, cache, start, drafts, max_tokens, reading)
                text = _LIST_MARK.sub("", opening + self._text(said)).strip()
        ended = time.perf_counter()
        return Spoken(
            text=text,
            prompt_tokens=len(prefix.ids) + len(prompt),
            completion_tokens=len(said),
            prefill_ms=(first - began) * 1e3,
            decode_ms=(ended - first) * 1e3,
        )

    def _speak(
        self,
        prompt: list[int],
        cache: DynamicCache,
        start: int,
        drafts: Sequence[list[int]],
        max_tokens: int,
        reading: Reading | None,
    ) -> tuple[list[int], float]:
        """Tokens said, and when the first one was known."""
        logits = self.passes.run(Step(prompt, cache, start, 1, reading))
        token = int(logits[0, -1].argmax())
        first = time.perf_counter()
        if reading is not None:
            reading.watch_position = 0
        said: list[int] = []
        position = start + len(prompt)
        while len(said) < max_tokens and not self._ends(said, token):
            go_on()
            said.append(token)
            draft = continuation(said, drafts, limit=max_tokens - len(said))
            # "Amazon." is no end where the facts go on with "com".
            if not draft and self._is_whole(said):
                break
            ids = [token, *draft]
            logits = self.passes.run(Step(ids, cache, position, len(ids), reading))
            choices = logits[0].argmax(-1).tolist()
            agreed = 0
            while agreed < len(draft) and draft[agreed] == choices[agreed]:
                if self._ends(said, draft[agreed]):
                    break
                said.append(draft[agreed])
                agreed += 1
            token = choices[agreed]
            position += 1 + agreed
            if agreed < len(draft):
                cache.crop(agreed - len(draft))
        return said, first

    def _choose(
        self,
        prompt: list[int],
        cache: DynamicCache,
        start: int,
        allowed: Sequence[str],
        priors: Sequence[float],
        reading: Reading | None,
    ) -> tuple[str, list[int], float]:
        """The name said, its tokens, and when the first one was known."""
        position = start

        def step(ids: list[int]) -> Tensor:
            nonlocal position
            logits = self.passes.run(Step(ids, cache, position, 1, reading))
            position += len(ids)
            return logits[0, -1]

        logits = step(prompt)
        first = time.perf_counter()
        if reading is not None:
            reading.watch_position = 0
        if priors:
            found = self._log_probabilities(allowed, logits[None, None], cache, position)
            gains = [after - before for after, before in zip(found, priors, strict=True)]
            name = allowed[gains.index(max(gains))]
            return name, self._text_ids(name), first
        trie = Trie({name: self._text_ids(name) for name in allowed})
        name, said = trie.choose(logits, step, self._stop)
        return name, said, first

    def _log_probabilities(
        self, names: Sequence[str], first: Tensor, cache: DynamicCache, position: int
    ) -> list[float]:
        """Of each name behind ``cache``, whose last token gave the logits ``first`` [1, 1, V]."""
        found = []
        for name in names:
            ids = self._text_ids(name)
            logits = first
            if ids[1:]:
                further = Step(ids[:-1], cache, position, len(ids) - 1, None)
                logits = torch.cat([first, self.passes.run(further)], dim=1)
                cache.crop(1 - len(ids))
            of_tokens = logits[0].log_softmax(-1)[range(len(ids)), ids]
            found.append(float(of_tokens.sum()))
        return found

    def _ends(self, said: list[int], token: int) -> bool:
        """The answer is complete without this token, which would stand next."""
        return token in self._stop or (
            self._is_whole(said) and self.tokenizer.decode([token]).startswith(" ")
        )

    def _is_whole(self, said: list[int]) -> bool:
        """A sentence has ended; not after a short word: it may be an abbreviation (St. Louis)."""
        return bool(_SENTENCE_END.search(self._text(said[-8:])))

    # -- set-up ---------------------------------------------------------------------------------

    def _text_ids(self, text: str) -> list[int]:
        """Tokens of what somebody wrote: "<|im_end|>" in a fact is text, and ends nothing."""
        with self._tokenizing:
            ids: list[int] = self.tokenizer(
                text, add_special_tokens=False, split_special_tokens=True
            ).input_ids
        return ids

    def _ids(self, text: str) -> list[int]:
        with self._tokenizing:
            ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def _text(self, ids: list[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        return text

    def _chat_frame(self) -> tuple[str, str]:
        """What the model's chat template writes before and after a user's message."""
        if not self.tokenizer.chat_template:
            return (self.tokenizer.bos_token or "", "\nAnswer:")
        rendered: str = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": _SENTINEL}], tokenize=False, add_generation_prompt=True
        )
        head, _, tail = rendered.partition(_SENTINEL)
        return head, tail

    @torch.inference_mode()
    def _prefix(self, text: str) -> _Prefix:
        ids = self._ids(text)
        cache = DynamicCache()
        if ids:
            self.passes.run(Step(ids, cache, 0, 1, None))
        return _Prefix(ids, _layers(cache))

    def _stop_tokens(self) -> frozenset[int]:
        """End-of-sequence tokens, and every token that begins a new line: an answer is one line."""
        ends = self.model.generation_config.eos_token_id
        stop = set(ends if isinstance(ends, list) else [ends]) - {None}
        stop |= {
            token
            for token in self._ids("\n") + self._ids("\n\n") + self._ids(".\n") + self._ids(".\n\n")
            if "\n" in self.tokenizer.decode([token])
        }
        return frozenset(stop)


def _layers(cache: DynamicCache) -> Layers:
    kept: Any = cache.layers
    return [(layer.keys, layer.values) for layer in kept]


def _cache(layers: Layers, batch: int = 1) -> DynamicCache:
    """A fresh cache that begins with a prefix's keys and values."""
    cache = DynamicCache()
    for index, (keys, values) in enumerate(layers):
        cache.update(
            keys.expand(batch, -1, -1, -1).clone(), values.expand(batch, -1, -1, -1).clone(), index
        )
    return cache
