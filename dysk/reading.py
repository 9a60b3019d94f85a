"""Reading candidates from the fact memory: a guess is read at once, and checked while it is read.

The coarse stage's best is nearly always what the retrieval heads would choose, so a pass over the
question before the one that reads would mostly be spent on agreeing. Instead the heads are asked
within the reading pass: as soon as the last of them has seen the question, the choice is known. If
it is another, the pass ends there and begins again with the right facts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

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


@dataclass(slots=True)
class MemoryReader:
    """Answers one question from ``found``, best first, whose blocks are ``rows`` i64[1, C].

    At most ``top_k`` are read. ``in_prompt_too`` also puts the first of them into the prompt. After
    ``speak``, ``facts`` are those that were read, and ``reading`` knows what attention each got.
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
    facts: list[Candidate] = field(init=False)
    reading: Reading = field(init=False)

    def speak(self) -> Spoken:
        """Read the likeliest facts, or those that the retrieval heads prefer, and answer."""
        guess = self._of_one_slot(range(len(self.found)))
        # One slot needs no choice.
        if len({candidate.slot for candidate in self.found}) == 1:
            return self._read(guess)
        better = guess
        looked = 0.0

        def agrees(probe: Probe) -> bool:
            nonlocal better, looked
            began = time.perf_counter()
            better = self._of_one_slot(self._order(probe))
            looked = (time.perf_counter() - began) * 1e3
            return set(better) == set(guess)

        began = time.perf_counter()
        try:
            spoken = self._read(guess, SecondLook(Probe(self.heads.layers), agrees))
            self.watch.move(looked, "prefill", "select")
        except Reconsidered:
            self.watch.add((time.perf_counter() - began) * 1e3, "select")
            spoken = self._read(better)
        return spoken

    def begin_with(self, opening: str) -> Spoken:
        """Answer again from the same facts, with these words as the beginning."""
        return self._say(opening)

    @property
    def knowledge_tokens(self) -> int:
        """Tokens of the facts that are read."""
        return int(self.model.memory.length[self.reading.candidates].sum())

    def _read(self, chosen: Sequence[int], second_look: SecondLook | None = None) -> Spoken:
        self.facts = [self.found[i] for i in chosen]
        self.reading = Reading(
            self.model.memory,
            self.rows[:, chosen],
            k=len(chosen),
            temperature=TEMPERATURE,
            gate=GATE,
            watched=self.heads.by_layer,
            second_look=second_look,
        )
        return self._say()

    def _say(self, opening: str = "") -> Spoken:
        model = self.model
        return model.speak(
            self.question_ids,
            reading=self.reading,
            span=int(model.memory.length[self.rows].max()),
            context=[model.fact_ids(self.facts[0].text)] if self.in_prompt_too else (),
            opening=opening,
            drafts=[*(model.draft_ids(fact.text) for fact in self.facts), self.question_ids],
            max_tokens=self.max_tokens,
        )

    def _order(self, probe: Probe) -> list[int]:
        """Candidates as the retrieval heads and the coarse score rank them together, best first."""
        coarse = torch.tensor([[candidate.score for candidate in self.found]])
        fine = select(probe, self.model.memory, self.heads, self.rows, coarse)[0]
        return fine.sort(descending=True, stable=True).indices.tolist()

    def _of_one_slot(self, order: Sequence[int]) -> list[int]:
        """The best candidate and, best first, those that answer the same just as well.

        They share its subject, relation and fit in time. A fact of another slot would be a
        distractor: a small model that reads near misses beside the right fact often speaks one
        (docs/log.md).
        """
        best = self.found[order[0]]
        equals = [
            i
            for i in order
            if self.found[i].slot == best.slot and self.found[i].score == best.score
        ]
        return equals[: self.top_k]
