"""ROME: a fact is written into one weight matrix of the model, in closed form.

Meng, Bau, Andonian and Belinkov 2022, "Locating and Editing Factual Associations in GPT"
(arXiv 2202.05262), written from the paper. W, the down-projection of one MLP, is seen as a memory
that maps a key k, the inputs at the last token of a subject, to a value v:

- k* is the mean of that input over several texts x_j before the subject (eq. 3),
- v* is found by gradient descent on the loss of eq. 4: with v* in place of W k*, the model says the
  new object, and what it says of "{subject} is a" stays,
- Ŵ = W + Λ (C⁻¹k*)ᵀ with Λ = (v* − W k*) / ((C⁻¹k*)ᵀ k*) is the least change for which Ŵ k* = v*,
  as the inputs that are usual weigh it (eq. 2). C is their second moment.

The paper estimates C on 100,000 samples of Wikipedia, takes 50 texts x_j and descends over all of
them. Here C comes from the project's own pages, there are few texts, and v* is found where it is
needed: behind the question as it will be asked, so that an edit takes seconds on a CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.rivals.teaching import Lesson, TeachableModel
from dysk.language_model import Layers

DEPTH = 1 / 6
"""The edited layer as a share of all: the paper takes 17 of 48, and 5 of 28."""
_WINDOW, _TOKENS = 128, 16_384
_RIDGE = 1e-3
"""Added to the diagonal of C, as a share of its mean: fewer tokens are seen than the paper's."""
_TEXTS, _TEXT_TOKENS = 4, 8
_STEPS, _STEP, _SURE = 25, 0.04, 0.7
"""Gradient steps at most, their size as a share of the value's norm, and the probability of the
answer at which they end."""


class Rome:
    """Edits a copy of the model, one lesson after another, each on top of those before."""

    def __init__(self, model: TeachableModel) -> None:
        self.model = model
        self._depth = int(DEPTH * model.model.config.get_text_config().num_hidden_layers)
        layer = model.model.base_model.layers[self._depth]
        self._down: nn.Linear = layer.mlp.down_proj
        self._moment: Tensor | None = None
        self._texts: list[str] = []

    def learn(self, lessons: Sequence[Lesson]) -> None:
        """Edit once for each lesson that the model does not say yet."""
        if self._moment is None:
            self._texts = ["", *sampled_texts(self.model)]
            self._moment = second_moment(self._keys_of(own_pages(self.model)))
        for lesson in lessons:
            key = self.key(lesson)
            value = self.value(lesson, key)
            weight = self._down.weight
            weight.data = inserted(weight.data, self._moment, key, value)
        self.model.read_prefix_anew()

    def answering(self) -> AbstractContextManager[None]:
        """The weights are what was learnt."""
        return nullcontext()

    def key(self, lesson: Lesson) -> Tensor:
        """k* [I]: the mean input of the matrix at the subject's last token (eq. 3)."""
        inputs = []
        for text in self._texts:
            ids, ends = self.model.mentions(text + lesson.begun, lesson.subject)
            inputs.append(self._inputs(torch.tensor([ids]))[0, ends[-1] if ends else -1])
        return torch.stack(inputs).mean(0)

    def value(self, lesson: Lesson, key: Tensor) -> Tensor:
        """v* [D]: what the matrix should give there for the model to say the object (eq. 4)."""
        context, said = self._answering(lesson)
        essence = self._context(*self.model.mentions(f"{lesson.subject} is a", lesson.subject))
        with torch.no_grad():
            before: Tensor = self._down(key)
            usual = self.model.continued(essence.layers, essence.ids, keep=1)[0, -1].log_softmax(-1)
        value = before.clone().requires_grad_()
        descent = torch.optim.Adam([value], lr=_STEP * float(before.norm()))
        for _ in range(_STEPS):
            loss = -self._log_probability(context, said, value)
            if loss.item() < -log(_SURE):
                break
            with self._giving(value, essence.mentions):
                logits = self.model.continued(essence.layers, essence.ids, keep=1)
            now = logits[0, -1].log_softmax(-1)
            drift = (now.exp() * (now - usual)).sum()
            descent.zero_grad()
            (loss + drift).backward()  # type: ignore[no-untyped-call]
            descent.step()
        return value.detach()

    def _answering(self, lesson: Lesson) -> tuple[_Context, Tensor]:
        """The question up to where its answer begins, and the answer, which is to be said whole:
        a model that begins with another subject never comes to the object.
        """
        model = self.model
        _, ends = model.mentions(lesson.question, lesson.subject)
        said, said_ends = model.mentions(f"{lesson.begun} {lesson.object}.", lesson.subject)
        head = model.head_ids
        prompt = [*head, *model.question_ids(lesson.question, closed=True)]
        mentions = [*(len(head) + i for i in ends), *(len(prompt) + i for i in said_ends)]
        return self._context(prompt, mentions), torch.tensor(said)

    def _context(self, ids: list[int], ends: list[int]) -> _Context:
        first = min(ends, default=len(ids) - 1)
        mentions = [end - first for end in ends] or [0]
        return _Context(self.model.read(ids[:first]), torch.tensor([ids[first:]]), mentions)

    def _log_probability(self, context: _Context, said: Tensor, value: Tensor) -> Tensor:
        ids = torch.cat([context.ids, said[None, :-1]], dim=1)
        with self._giving(value, context.mentions):
            logits = self.model.continued(context.layers, ids, keep=len(said))
        return logits[0].log_softmax(-1)[torch.arange(len(said)), said].sum()

    @contextmanager
    def _giving(self, value: Tensor, positions: list[int]) -> Iterator[None]:
        """The matrix gives this value at these positions, whatever its inputs are."""

        def replace(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            chosen = torch.zeros(output.shape[1], 1, dtype=torch.bool)
            chosen[positions] = True
            return torch.where(chosen, value, output)

        hook = self._down.register_forward_hook(replace)
        try:
            yield
        finally:
            hook.remove()

    def _keys_of(self, ids: Sequence[int]) -> Iterator[Tensor]:
        """Inputs at the tokens of a text, a window at a time, framed as prompts are: what frames
        every question must stay what it is, too.
        """
        head, tail = self.model.head_ids, self.model.question_ids("", closed=True)
        for start in range(0, len(ids) - _WINDOW + 1, _WINDOW):
            framed = [*head, *ids[start : start + _WINDOW], *tail]
            # The first token takes up attention that nothing else wants; it is no usual input.
            yield self._inputs(torch.tensor([framed]))[0, 1:]

    @torch.no_grad()
    def _inputs(self, ids: Tensor) -> Tensor:
        """What the matrix is given at every token, [B, T, I]; the pass ends there."""
        seen: list[Tensor] = []

        def stop(module: nn.Module, inputs: tuple[Tensor]) -> None:
            seen.append(inputs[0])
            raise _Seen

        hook = self._down.register_forward_pre_hook(stop)
        try:
            self.model.model.base_model(ids, use_cache=False)
        except _Seen:
            return seen[0]
        finally:
            hook.remove()
        raise AssertionError("the pass ended before the edited layer")


@dataclass(frozen=True, slots=True)
class _Context:
    """Tokens before the first mention of the subject, as they were read, and those from it on."""

    layers: Layers
    ids: Tensor
    mentions: list[int]


class _Seen(Exception):
    """Ends a pass whose rest nobody needs."""


def second_moment(batches: Iterator[Tensor]) -> Tensor:
    """C [I, I] = E[k kᵀ] over rows of keys, with a small ridge: in closed form it is inverted."""
    total: Tensor | None = None
    count = 0
    for keys in batches:
        product = keys.T @ keys
        total = product if total is None else total + product
        count += len(keys)
    if total is None:
        raise ValueError("no text to see usual inputs in")
    moment = total / count
    return moment + _RIDGE * moment.diagonal().mean() * torch.eye(len(moment))


def inserted(weight: Tensor, moment: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Ŵ [D, I] of eq. 2: Ŵ key = value, and the least change else, as ``moment`` weighs it."""
    direction = torch.linalg.solve(moment, key)
    return weight + torch.outer((value - weight @ key) / (direction @ key), direction)


def sampled_texts(model: TeachableModel) -> list[str]:
    """The texts x_j: what the model itself says of nothing, the same at every call."""
    first = model.tokenizer.bos_token_id or model.tokenizer.eos_token_id
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        said = model.model.generate(
            torch.tensor([[first]]),
            do_sample=True,
            max_new_tokens=_TEXT_TOKENS,
            num_return_sequences=_TEXTS,
            pad_token_id=first,
        )
    texts = model.tokenizer.batch_decode(said[:, 1:], skip_special_tokens=True)
    return [f"{' '.join(text.split())}. " for text in texts]


def own_pages(model: TeachableModel) -> list[int]:
    """Tokens of the project's pages: the text at hand for what inputs are usual."""
    root = Path(__file__).parents[2]
    pages = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    ids: list[int] = []
    for page in pages:
        ids += model.draft_ids(page.read_text("utf-8"))
        if len(ids) >= _TOKENS:
            break
    return ids[:_TOKENS]
