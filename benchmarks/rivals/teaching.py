"""Facts taught to a model: what LoRA, ROME and GRACE have in common.

Their facts live in weights or layers, which know neither time nor evidence. So they are taught what
holds now, in the order in which they are told, and are asked closed book. What they have learnt
they keep: neither the end of a fact nor its retraction can be taught, only another answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from torch import Tensor
from transformers import DynamicCache

from benchmarks.rivals.protocol import MAX_TOKENS, Models, answer
from benchmarks.schema import Question
from dysk.answer import Answer, Usage
from dysk.grounding import opening
from dysk.language_model import LanguageModel, Layers
from dysk.speaking import Said
from dysk.stopwatch import Stopwatch
from graph.fact import Fact
from graph.interval import now_period

_NO_BLOCKS = 1 << 20
"""Bytes of the fact memory of a model that reads no facts."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A fact as it is taught: a question of it, and a sentence that ``object`` completes."""

    subject: str
    question: str
    begun: str
    object: str

    @property
    def sentence(self) -> str:
        """The sentence, completed."""
        return f"{self.begun} {self.object}."


class Learner(Protocol):
    """A model that can be taught, one lesson after another."""

    model: TeachableModel

    def learn(self, lessons: Sequence[Lesson]) -> None:
        """Answer by these from now on."""
        ...

    def answering(self) -> AbstractContextManager[None]:
        """What the model speaks inside is an answer."""
        ...


class Taught:
    """A rival that learns what it was told when it is next asked, and speaks closed book."""

    def __init__(self, models: Models, learner: Learner) -> None:
        self._wording = models.wording
        self._learner = learner
        self._waiting: dict[str, Lesson] = {}
        self._learnt: dict[str, Lesson] = {}

    def update(self, fact: Fact) -> None:
        """Learn the fact at the next ask, if it holds now and is not known."""
        self._waiting.pop(fact.id, None)
        lesson = lesson_of(fact, self._wording(fact))
        if fact.interval.overlaps(now_period()) and self._learnt.get(fact.id) != lesson:
            self._waiting[fact.id] = lesson

    def ask(self, question: Question) -> Answer:
        """What the taught model says; the lessons that had waited are the stage ``encode``."""
        watch, model = Stopwatch(), self._learner.model
        with watch.stage("encode"):
            if self._waiting:
                self._learner.learn(list(self._waiting.values()))
                self._learnt |= self._waiting
                self._waiting.clear()
        ids = model.question_ids(question.question, closed=True)
        with self._learner.answering():
            spoken = model.speak(ids, closed=True, drafts=[ids], max_tokens=MAX_TOKENS)
        watch.add(spoken.prefill_ms, "prefill")
        watch.add(spoken.decode_ms, "decode")
        said = Said(spoken.text, usage=Usage(spoken.prompt_tokens, spoken.completion_tokens))
        return answer(said, "closed_book", question.as_of or now_period().text, watch)


def lesson_of(fact: Fact, sentence: str) -> Lesson:
    """The fact as it is taught; ``sentence`` is its wording."""
    return Lesson(
        fact.subject,
        f"What is the {fact.relation} of {fact.subject}?",
        opening(sentence, fact.object) or f"The {fact.relation} of {fact.subject} is",
        fact.object,
    )


class TeachableModel(LanguageModel):
    """A copy of the model that is a rival's own, since what it learns would change all others."""

    @classmethod
    def copy_of(cls, model: LanguageModel) -> Self:
        """The same weights, read from the same files."""
        return cls(Path(model.model.name_or_path), memory_bytes=_NO_BLOCKS)

    def read_prefix_anew(self) -> None:
        """To be called when weights have changed: prompts begin with cached keys and values."""
        self._closed_prefix = self._prefix(self._chat_frame()[0])

    @property
    def head_ids(self) -> list[int]:
        """What every closed-book prompt begins with."""
        return self._closed_prefix.ids

    def mentions(self, text: str, name: str) -> tuple[list[int], list[int]]:
        """The tokens of a text, and where in them each mention of a name has its last one."""
        encoded = self.tokenizer(
            text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
        )
        ends, at = [], text.find(name)
        while at >= 0:
            end = at + len(name)
            ends.append(
                max(i for i, (start, _) in enumerate(encoded.offset_mapping) if start < end)
            )
            at = text.find(name, end)
        return encoded.input_ids, ends

    @torch.no_grad()
    def read(self, ids: Sequence[int]) -> Layers:
        """Keys and values of tokens at the beginning of a text, to go on from with gradients."""
        cache = DynamicCache()
        if ids:
            self.model.base_model(torch.tensor([ids]), past_key_values=cache, use_cache=True)
        kept: Any = cache.layers
        return [(layer.keys, layer.values) for layer in kept]

    def continued(self, layers: Layers, ids: Tensor, *, keep: int) -> Tensor:
        """Logits [B, keep, V] of the last tokens of ``ids`` [B, T] behind tokens that were read."""
        cache, start = DynamicCache(), layers[0][0].shape[2] if layers else 0
        for index, (keys, values) in enumerate(layers):
            whole = (len(ids), -1, -1, -1)
            cache.update(keys.expand(whole), values.expand(whole), index)
        positions = torch.arange(start, start + ids.shape[1])[None]
        logits: Tensor = self.model(
            ids,
            past_key_values=cache,
            position_ids=positions,
            use_cache=True,
            logits_to_keep=keep,
        ).logits
        return logits
