"""Cached keys and values of facts, attended to all at once: nothing is selected.

Both use dysk's operator with k = C, which is dense attention over every candidate.
"""

from __future__ import annotations

from math import log
from typing import Literal

from benchmarks.rivals.corpus import Corpus
from benchmarks.rivals.dense import Ranker
from benchmarks.rivals.protocol import MAX_TOKENS, Models, abstention, answer
from benchmarks.schema import Question
from dysk.answer import Answer, Usage
from dysk.attention import Reading
from dysk.speaking import Said, evidence_of
from dysk.stopwatch import Stopwatch
from graph.fact import Fact

SCALE = 100
"""KBLaM's constant C: the size of knowledge base at which its logits are not shifted."""

Formula = Literal["kblam", "reuse"]


class AllBlocks:
    """Every found fact is read in every layer.

    ``kblam``: the rectangular attention of KBLaM (Wang et al. 2024, arXiv 2410.10450): one softmax
    over M knowledge tokens and the prompt, with log C − log M added to the knowledge logits so
    that their weight does not grow with M. KBLaM trains an adapter that makes one token of a fact;
    here the tokens are the frozen model's own of the fact's sentence, as nothing is trained.
    ``reuse``: the same without the shift, which is what concatenating caches of sentences encoded
    apart amounts to. ``count`` None reads every fact that holds at the time asked about.
    """

    def __init__(self, models: Models, ranker: Ranker, count: int | None, formula: Formula) -> None:
        self._models = models
        self._corpus = Corpus(models, ranker)
        self._count = count
        self._formula = formula

    def update(self, fact: Fact) -> None:
        """Index the fact; its block is made when it is first read."""
        self._corpus.update(fact)

    def ask(self, question: Question) -> Answer:
        """Read all that was found. Raises MemoryBudgetExceeded where their blocks do not fit."""
        watch = Stopwatch()
        with watch.stage("time"):
            asked = self._corpus.read(question)
        with watch.stage("coarse"):
            found = self._corpus.find(asked, self._count)
        if not found:
            return abstention("attention", asked.period.text, watch)
        model = self._models.language
        with watch.stage("encode"):
            # Named apart from dysk's own blocks, which an erasure forgets by fact.
            lease = model.memory.lease([(f"rival/{c.fact.id}", c.text) for c in found])
        with lease:
            lengths = model.memory.length[lease.rows]
            tokens = int(lengths.sum())
            reading = Reading(
                model.memory,
                lease.rows[None],
                k=len(found),
                temperature=1.0,
                gate=log(SCALE) - log(tokens) if self._formula == "kblam" else 0.0,
            )
            ids = model.question_ids(question.question)
            spoken = model.speak(
                ids,
                reading=reading,
                span=int(lengths.max()),
                drafts=[*(model.draft_ids(c.text) for c in found[:8]), ids],
                max_tokens=MAX_TOKENS,
            )
        watch.add(spoken.prefill_ms, "prefill")
        watch.add(spoken.decode_ms, "decode")
        said = Said(
            spoken.text,
            tuple(evidence_of(candidate, None) for candidate in found),
            Usage(spoken.prompt_tokens, spoken.completion_tokens, tokens),
        )
        return answer(said, "attention", asked.period.text, watch)
