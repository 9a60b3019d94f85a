"""GRACE: answers are cached in a codebook beside one layer, and no weight changes.

Hartvigsen, Sankaranarayanan, Palangi, Kim and Ghassemi 2023, "Aging with GRACE" (arXiv 2211.11031),
written from the paper. The codebook holds keys (the layer's input at the last token of a prompt),
values (what the layer gives there instead, found by gradient descent on the loss of the answer),
labels (the answers) and deferral radii. The layer gives a value where a key lies nearer than its
radius, and what it always gave elsewhere (eq. 1). A new prompt with an answer, at a distance d from
the nearest key, whose radius is ε, is (section 3.2, algorithm 1):

- *added* with radius ε_init, where d > ε + ε_init,
- merged into a key of the same answer, whose radius *expands* to reach it, or
- *split* from a key of another answer: both get d / 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf, log
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.rivals.teaching import Lesson, TeachableModel

DEPTH = 2 / 3
"""The layer as a share of all: the paper edits late ones, as 36 of 48."""
RADIUS = 1.0
"""ε_init, the paper's smallest; a distance between inputs of that layer."""
_STEPS, _STEP, _SURE = 30, 0.02, 0.7
"""Gradient steps at most, their size as a share of the value's norm, and the probability of the
answer at which they end."""


@dataclass(slots=True)
class Codebook:
    """Keys [N, D] with their radii and labels; what belongs to a key has its number."""

    radius: float = RADIUS
    keys: list[Tensor] = field(default_factory=list)
    radii: list[float] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def nearest(self, query: Tensor) -> tuple[int, float]:
        """The number of the nearest key and its Euclidean distance; −1, ∞ where there is none."""
        if not self.keys:
            return -1, inf
        distances = (torch.stack(self.keys) - query).norm(dim=-1)
        number = int(distances.argmin())
        return number, float(distances[number])

    def find(self, query: Tensor) -> int | None:
        """The nearest key, if the query lies within its radius (eq. 1)."""
        number, distance = self.nearest(query)
        return number if number >= 0 and distance < self.radii[number] else None

    def enter(self, query: Tensor, label: str) -> int | None:
        """Have a prompt get this answer: the number of a new entry, None where an old one
        expanded.
        """
        number, distance = self.nearest(query)
        if number < 0 or distance > self.radii[number] + self.radius:
            return self._add(query, label, self.radius)
        if self.labels[number] == label:
            self.radii[number] = max(self.radii[number], distance + self.radius)
            return None
        if distance == 0.0:
            # The same prompt with another answer: half of no distance would never be met again.
            self.labels[number] = label
            return number
        self.radii[number] = distance / 2
        return self._add(query, label, distance / 2)

    def _add(self, query: Tensor, label: str, radius: float) -> int:
        self.keys.append(query.clone())
        self.radii.append(radius)
        self.labels.append(label)
        return len(self.keys) - 1


class Grace:
    """A copy of the model with a codebook beside one layer.

    It looks into the codebook once for an answer, at the last token of the question. What is spoken
    goes on from the value, which the layers above have cached.
    """

    def __init__(self, model: TeachableModel) -> None:
        self.model = model
        self.codebook = Codebook()
        self._values: list[Tensor] = []
        depth = int(DEPTH * model.model.config.get_text_config().num_hidden_layers)
        self._layer: nn.Module = model.model.base_model.layers[depth]

    def learn(self, lessons: Sequence[Lesson]) -> None:
        """Enter each lesson, and find its value if it needs one."""
        model = self.model
        for lesson in lessons:
            prompt = [*model.head_ids, *model.question_ids(lesson.question, closed=True)]
            number = self.codebook.enter(self._query(prompt), lesson.object)
            if number is not None:
                said = [*model.draft_ids(f"{lesson.object}."), model.tokenizer.eos_token_id]
                self._values[number : number + 1] = [self._value(prompt, said)]

    def _value(self, prompt: list[int], said: list[int]) -> Tensor:
        """What the layer should give at the last token for the model to say this, [D]."""
        before = self.model.read(prompt[:-1])
        ids, wanted = torch.tensor([[prompt[-1], *said[:-1]]]), torch.tensor(said)
        given: list[Tensor] = []

        def give(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            # It begins with what the layer gives by itself.
            given[:] = given or [output[0, 0].detach().clone().requires_grad_()]
            return torch.cat([given[0][None, None], output[:, 1:]], dim=1)

        with _hooked(self._layer, give):
            self.model.continued(before, ids, keep=1)
            [value] = given
            descent = torch.optim.Adam([value], lr=_STEP * float(value.detach().norm()))
            for _ in range(_STEPS):
                logits = self.model.continued(before, ids, keep=len(said))[0].log_softmax(-1)
                loss = -logits[torch.arange(len(said)), wanted].sum()
                if loss.item() < -log(_SURE):
                    break
                descent.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                descent.step()
        return value.detach()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """The first pass inside, over a question, looks into the codebook at its last token."""
        asked = False

        def look_up(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            nonlocal asked
            number = None if asked else self.codebook.find(inputs[0][0, -1])
            asked = True
            if number is None:
                return output
            value = self._values[number].expand(1, 1, -1)
            return torch.cat([output[:, :-1], value], dim=1)

        with _hooked(self._layer, look_up):
            yield

    @torch.no_grad()
    def _query(self, prompt: list[int]) -> Tensor:
        """The layer's input at the last token, [D]."""
        before = self.model.read(prompt[:-1])
        seen: list[Tensor] = []
        with _hooked(self._layer, lambda module, inputs, output: seen.append(inputs[0][0, -1])):
            self.model.continued(before, torch.tensor([prompt[-1:]]), keep=1)
        return seen[0]


@contextmanager
def _hooked(module: nn.Module, hook: Callable[[nn.Module, Any, Tensor], Any]) -> Iterator[None]:
    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()
