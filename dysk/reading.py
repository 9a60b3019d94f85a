"""Reading candidates from the fact memory: a guess is read at once, and checked while it is read.

The coarse stage's best is nearly always what the retrieval heads would choose, so a pass over the
question before the one that reads would mostly be spent on agreeing. Instead the heads are asked
within the reading pass: as soon as the last of them has seen the question, the choice is known. If
it is another, the pass ends there and begins again with the right facts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dysk.attention import Probe, Reading, Reconsidered, SecondLook
from dysk.attention.fine import RetrievalHeads, select
from dysk.candidates import Candidate
from dysk.language_model import LanguageModel, Spoken
from dysk.stopwatch import Stopwatch

TEMPERATURE, GATE = 0.8, 0.5
"""How the chosen facts are read: sharper than text, and somewhat heavier beside the question.
What was measured of both is in docs/log.md."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the model said reading one fact, and the fact's share of the heads' attention."""

    fact: Candidate
    spoken: Spoken
    share: float


@dataclass(slots=True)
class MemoryReader:
    """Answers one question from ``found``, best first, whose blocks are ``rows`` i64[1, C].

    Facts are read one at a time, at most ``top_k``: a small model that reads two speaks one of
    them, or a mixture (docs/log.md). ``in_prompt_too`` also puts the fact into the prompt. With
    ``allowed`` nothing but one of these names is said of a fact.
    """

    model: LanguageModel
    heads: RetrievalHeads
    question_ids: list[int]
    found: list[Candidate]
    rows: Tensor
    top_k: int
    max_tokens: int
    in_prompt_too: bool
    watch: Stopwatch
    allowed: Callable[[Candidate], Sequence[str]] | None = None

    def speak(self) -> Iterator[Told]:
        """Answer from the likeliest fact, or the one that the retrieval heads prefer; then from
        each that answers just as well.
        """
        chosen, first = self._choose()
        yield first
        for other in chosen[1:]:
            told = self._read(other)
            # The first token was out long before.
            self.watch.move(told.spoken.prefill_ms, "prefill", "decode")
            yield told

    def begin_with(self, opening: str, fact: Candidate) -> Spoken:
        """Answer from a fact again, with these words as the beginning."""
        number = self.found.index(fact)
        return self._say(number, self._reading(number), opening)

    def _choose(self) -> tuple[list[int], Told]:
        guess = self._of_one_slot(range(len(self.found)))
        # One slot needs no choice.
        if len({candidate.slot for candidate in self.found}) == 1:
            return guess, self._read(guess[0])
        better = guess
        looked = 0.0

        def agrees(probe: Probe) -> bool:
            nonlocal better, looked
            began = time.perf_counter()
            better = self._of_one_slot(self._order(probe))
            looked = (time.perf_counter() - began) * 1e3
            return better[0] == guess[0]

        began = time.perf_counter()
        try:
            first = self._read(guess[0], SecondLook(Probe(self.heads.layers), agrees))
            self.watch.move(looked, "prefill", "select")
        except Reconsidered:
            self.watch.add((time.perf_counter() - began) * 1e3, "select")
            first = self._read(better[0])
        return better, first

    def _read(self, number: int, second_look: SecondLook | None = None) -> Told:
        reading = self._reading(number, second_look)
        spoken = self._say(number, reading)
        return Told(self.found[number], spoken, reading.shares()[0])

    def _reading(self, number: int, second_look: SecondLook | None = None) -> Reading:
        return Reading(
            self.model.memory,
            self.rows[:, [number]],
            k=1,
            temperature=TEMPERATURE,
            gate=GATE,
            watched=self.heads.by_layer,
            second_look=second_look,
        )

    def _say(self, number: int, reading: Reading, opening: str = "") -> Spoken:
        model, text = self.model, self.found[number].text
        return model.speak(
            self.question_ids,
            reading=reading,
            span=int(model.memory.length[self.rows].max()),
            context=[model.fact_ids(text)] if self.in_prompt_too else (),
            opening=opening,
            drafts=[model.draft_ids(text), self.question_ids],
            allowed=self.allowed(self.found[number]) if self.allowed else (),
            max_tokens=self.max_tokens,
        )

    def _order(self, probe: Probe) -> list[int]:
        """Candidates as the retrieval heads and the coarse score rank them together, best first."""
        coarse = torch.tensor([[candidate.score for candidate in self.found]])
        fine = select(probe, self.model.memory, self.heads, self.rows, coarse)[0]
        return fine.sort(descending=True, stable=True).indices.tolist()

    def _of_one_slot(self, order: Sequence[int]) -> list[int]:
        """The best candidate and, best first, those that answer the same just as well.

        They share its subject, relation and fit in time. Of equals the earlier found comes first,
        whichever the heads prefer: they tell slots apart, not objects.
        """
        best = self.found[order[0]]
        equals = [
            i
            for i in range(len(self.found))
            if self.found[i].slot == best.slot and self.found[i].score == best.score
        ]
        return equals[: self.top_k]
