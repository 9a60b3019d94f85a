"""LoRA: the facts are learnt by fine-tuning a low-rank change of the weights.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models" (arXiv 2106.09685), by Hugging
Face's peft: W x becomes W x + (α/r) B A x (section 4.1), where A starts at random, B at zero, and
only both are trained. Lessons that came together are learnt together, until the model says each
sentence, or for so many rounds; the adapter goes on from where the lessons before left it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from benchmarks.rivals.teaching import Lesson, TeachableModel
from benchmarks.schema import BenchmarkError

RANK, ALPHA = 8, 16
_RATE = 2e-3
_ROUNDS, _BATCH = 16, 16
_LEARNT = 0.1
"""The mean loss of a token at which a round was the last."""


class Lora:
    """Trains an adapter on a copy of the model. Raises BenchmarkError where peft is missing."""

    def __init__(self, model: TeachableModel) -> None:
        try:
            from peft import LoraConfig, inject_adapter_in_model
        except ImportError as error:
            raise BenchmarkError(
                "lora needs peft: install it with pip install peft, or choose other --systems"
            ) from error
        self.model = model
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            inject_adapter_in_model(
                LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules="all-linear"), model.model
            )
        self._parameters = [each for each in model.model.parameters() if each.requires_grad]
        self._training = torch.optim.AdamW(self._parameters, lr=_RATE, weight_decay=0.0)

    def learn(self, lessons: Sequence[Lesson]) -> None:
        """Train until the mean loss of a round is low."""
        chance = random.Random(0)  # noqa: S311 (an order, not a secret)
        rows = [self._row(lesson) for lesson in lessons]
        for _ in range(_ROUNDS):
            # Rows of about one length share a batch, so that little is padded.
            rows.sort(key=lambda row: len(row[0]) + chance.random())
            batches = [rows[at : at + _BATCH] for at in range(0, len(rows), _BATCH)]
            chance.shuffle(batches)
            loss = sum(self._step(batch) * len(batch) for batch in batches) / len(rows)
            if loss < _LEARNT:
                break
        self.model.read_prefix_anew()

    def answering(self) -> AbstractContextManager[None]:
        """The adapter is always on."""
        return nullcontext()

    def _row(self, lesson: Lesson) -> tuple[list[int], list[int]]:
        """Question and answer; the head of the prompt is left to all rows together."""
        model = self.model
        said = [*model.draft_ids(lesson.sentence), model.tokenizer.eos_token_id]
        return model.question_ids(lesson.question, closed=True), said

    def _step(self, rows: Sequence[tuple[list[int], list[int]]]) -> float:
        """One gradient step on the answers; the mean loss of their tokens before it."""
        width = max(len(asked) + len(said) for asked, said in rows)
        ids = torch.zeros(len(rows), width, dtype=torch.long)
        wanted = torch.full((len(rows), width), _IGNORED)
        for row, (asked, said) in enumerate(rows):
            length = len(asked) + len(said)
            ids[row, :length] = torch.tensor([*asked, *said])
            # What stands at a place is told by the place before it.
            wanted[row, len(asked) - 1 : length - 1] = torch.tensor(said)
        head = self.model.read(self.model.head_ids)
        # Padding comes last, where no token that counts looks back at it.
        logits: Tensor = self.model.continued(head, ids, keep=width)
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), wanted.flatten(), ignore_index=_IGNORED
        )
        self._training.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._training.step()
        return loss.item()


_IGNORED = -100
