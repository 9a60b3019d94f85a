"""Forward passes that asks share.

Whoever needs one hands in its tokens and waits. A pass starts as soon as every ask that is speaking
has handed in its next tokens, in the thread of one of them, which computes for all: there is no
timer and no thread of its own, and an ask alone waits for nobody. An ask that ends, or is broken
off between two passes, is no longer waited for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from dysk.attention import Attachment, Pack, Part, Reading
from dysk.attention.packed import AllEnded, PassedOn, is_packable

MOST_TOKENS = 128
"""Of a shared pass: beyond, a pass takes longer and a token no less. A longer prompt goes alone."""


@dataclass(slots=True, eq=False)
class Step:
    """Tokens of one ask at ``position``, behind those of ``cache``; logits of the last ``keep``."""

    ids: list[int]
    cache: DynamicCache
    position: int
    keep: int
    reading: Reading | None
    logits: Tensor | None = None
    error: Exception | None = None
    turn: threading.Event = field(default_factory=threading.Event)
    """Set when the step is done, or when its thread is to compute ``group``."""
    group: Sequence[Step] = ()

    @property
    def is_done(self) -> bool:
        """It has logits [1, keep, V] or an error."""
        return self.logits is not None or self.error is not None


class Passes:
    """Gives turns on a model, one pass at a time. Thread-safe."""

    def __init__(self, model: Any, attachment: Attachment) -> None:
        self._model = model
        self._attachment = attachment
        self._most = MOST_TOKENS if is_packable(model.config.get_text_config()) else 0
        self._guard = threading.Lock()
        self._speaking = 0
        self._waiting: list[Step] = []
        self._apart: list[threading.Event] = []
        self._busy = False

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Passes wait for the steps of this thread, which come one soon after the other."""
        with self._guard:
            self._speaking += 1
        try:
            yield
        finally:
            with self._guard:
                self._speaking -= 1
                self._next_turn()

    def run(self, step: Step) -> Tensor:
        """Logits [1, keep, V] of a step, by itself or together with others'.

        Raises what ended it: Reconsidered, or what its reading raises.
        """
        with self._guard:
            self._waiting.append(step)
            self._next_turn()
        try:
            step.turn.wait()
            if step.group:
                self._compute(step.group)
        finally:
            self._leave(step)
        if step.error is not None:
            raise step.error
        assert step.logits is not None  # noqa: S101 - it is done
        return step.logits

    @contextmanager
    def apart(self) -> Iterator[None]:
        """The model for this thread alone, between two passes."""
        turn = threading.Event()
        with self._guard:
            self._apart.append(turn)
            self._next_turn()
        try:
            turn.wait()
            yield
        finally:
            with self._guard:
                if turn in self._apart:
                    self._apart.remove(turn)
                else:
                    self._busy = False
                self._next_turn()

    # -- turns: all of these with the guard held ------------------------------------------------

    def _next_turn(self) -> None:
        """Give the next turn, if the model is free and it is somebody's turn."""
        if self._busy:
            return
        if self._apart:
            self._busy = True
            self._apart.pop(0).set()
            return
        tokens = sum(len(step.ids) for step in self._waiting)
        if self._waiting and (len(self._waiting) >= self._speaking or tokens >= self._most):
            self._busy = True
            group = self._next_group()
            group[0].group = group
            group[0].turn.set()

    def _next_group(self) -> list[Step]:
        """Those that waited longest, as many as a pass takes."""
        group = [self._waiting.pop(0)]
        tokens = len(group[0].ids)
        while self._waiting and tokens + len(self._waiting[0].ids) <= self._most:
            group.append(self._waiting.pop(0))
            tokens += len(group[-1].ids)
        return group

    def _leave(self, step: Step) -> None:
        """Give the turn back, if the step had it. Whoever was not served by it waits again."""
        with self._guard:
            if step in self._waiting:
                self._waiting.remove(step)
            if step.group:
                others = [one for one in step.group if one is not step]
                self._waiting[:0] = [one for one in others if not one.is_done]
                for one in others:
                    if one.is_done:
                        one.turn.set()
                step.group = ()
                self._busy = False
            self._next_turn()

    # -- computing: with the model for oneself --------------------------------------------------

    def _compute(self, group: Sequence[Step]) -> None:
        if len(group) > 1:
            # What is lost for all each has to try by itself, to fail or succeed on its own.
            with suppress(Exception):
                self._together(group)
        for step in group:
            if not step.is_done:
                try:
                    step.logits = self._alone(step)
                except Exception as error:
                    step.error = error

    def _alone(self, step: Step) -> Tensor:
        if step.reading is None:
            return self._forward(step.ids, step.cache, _positions(step), step.keep)
        with self._attachment.reading(step.reading):
            return self._forward(step.ids, step.cache, _positions(step), step.keep)

    def _together(self, group: Sequence[Step]) -> None:
        parts = [Part(len(step.ids), step.cache, step.reading) for step in group]
        ends = torch.tensor([part.length for part in parts]).cumsum(0).tolist()
        kept = [torch.arange(end - step.keep, end) for step, end in zip(group, ends, strict=True)]
        try:
            with self._attachment.packing(Pack(parts)):
                logits = self._forward(
                    [token for step in group for token in step.ids],
                    PassedOn(),
                    torch.cat([_positions(step) for step in group]),
                    torch.cat(kept),
                    # Of four dimensions, so that transformers makes none: each part has its own.
                    attention_mask=torch.empty(1, 1, 1, 1),
                )
        except AllEnded:
            logits = torch.empty(1, sum(step.keep for step in group), 0)
        except BaseException:
            for part in parts:
                part.undo()
            raise
        own = torch.split(logits, [step.keep for step in group], dim=1)
        for step, part, found in zip(group, parts, own, strict=True):
            step.error = part.error
            step.logits = None if part.error else found

    def _forward(
        self,
        ids: list[int],
        cache: DynamicCache,
        positions: Tensor,
        keep: int | Tensor,
        **more: Tensor,
    ) -> Tensor:
        output = self._model(
            torch.tensor([ids]),
            past_key_values=cache,
            position_ids=positions[None],
            use_cache=True,
            logits_to_keep=keep,
            **more,
        )
        logits: Tensor = output.logits
        return logits


def _positions(step: Step) -> Tensor:
    return torch.arange(step.position, step.position + len(step.ids))
