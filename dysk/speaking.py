"""From candidates to words, one way for each mode.

closed_book speaks from the weights alone. rag puts facts into the prompt. attention reads them from
the fact memory in every layer (dysk.reading), hybrid in both ways. What is said from facts is
checked against them, and where a small model misspells or evades what it attends to, it is helped
to say it (Repair).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dysk.answer import Evidence, Grounding, Mode, Usage
from dysk.attention.fine import RetrievalHeads
from dysk.candidates import Candidate
from dysk.grounding import first_spoken, opening, respelled
from dysk.language_model import LanguageModel, Spoken
from dysk.reading import MemoryReader, Told
from dysk.stopwatch import Stopwatch

Names = Callable[[str], Sequence[str]]
"""An entity -> all that it is called, itself first."""


_NOTHING = Usage()


@dataclass(frozen=True, slots=True)
class Said:
    """Words, the facts that were read for them, and the object of the one they speak, if any.

    ``grounded`` is None where nothing was checked.
    """

    text: str
    evidence: tuple[Evidence, ...] = ()
    usage: Usage = _NOTHING
    grounded: bool | None = None
    spoken_object: str | None = None


@dataclass(frozen=True, slots=True)
class Speaker:
    """Speaks with a model that the caller has locked. ``block_key`` names a fact's block.

    RAG is left as people use it unless ``repairs_rag``, which gives it the same help as attention.
    """

    model: LanguageModel
    heads: RetrievalHeads
    block_key: Callable[[str], str]
    repairs_rag: bool = False

    def speak(
        self,
        question: str,
        mode: Mode,
        found: list[Candidate],
        names: Names,
        *,
        top_k: int,
        grounding: Grounding,
        max_tokens: int,
        watch: Stopwatch,
    ) -> Said:
        """Answer from ``found``, best first, of which at most ``top_k`` are read."""
        if mode == "closed_book":
            ids = self.model.question_ids(question, closed=True)
            spoken = self.model.speak(ids, closed=True, drafts=[ids], max_tokens=max_tokens)
            return Said(spoken.text, usage=_count(spoken, watch))
        if mode == "rag":
            return self._from_prompt(question, found[:top_k], names, grounding, max_tokens, watch)
        in_prompt_too = mode == "hybrid"
        return self._from_memory(
            question, found, names, top_k, grounding, max_tokens, watch, in_prompt_too
        )

    def _from_prompt(
        self,
        question: str,
        facts: list[Candidate],
        names: Names,
        grounding: Grounding,
        max_tokens: int,
        watch: Stopwatch,
    ) -> Said:
        """The facts stand in the prompt, the best one next to the question."""
        ids = self.model.question_ids(question)

        def read(opening: str = "") -> Spoken:
            return self.model.speak(
                ids,
                context=[self.model.fact_ids(fact.text) for fact in reversed(facts)],
                opening=opening,
                drafts=[*(self.model.draft_ids(fact.text) for fact in facts), ids],
                max_tokens=max_tokens,
            )

        spoken = read()
        evidence = tuple(evidence_of(fact, None) for fact in facts)
        said = Said(spoken.text, evidence, _count(spoken, watch))
        if grounding == "off":
            return said
        said = _checked(said, names)
        return (
            said
            if said.grounded or not self.repairs_rag
            else self._repaired(said, names, read, watch)
        )

    def _from_memory(
        self,
        question: str,
        found: list[Candidate],
        names: Names,
        top_k: int,
        grounding: Grounding,
        max_tokens: int,
        watch: Stopwatch,
        in_prompt_too: bool,
    ) -> Said:
        with watch.stage("encode"):
            lease = self.model.memory.lease([(self.block_key(c.fact.id), c.text) for c in found])
        with lease:
            reader = MemoryReader(
                self.model,
                self.heads,
                self.model.question_ids(question),
                found,
                lease.rows[None],
                top_k,
                max_tokens,
                in_prompt_too,
                watch,
            )
            return _joined(
                [self._said(told, reader, names, grounding, watch) for told in reader.speak()]
            )

    def _said(
        self, told: Told, reader: MemoryReader, names: Names, grounding: Grounding, watch: Stopwatch
    ) -> Said:
        tokens = len(self.model.fact_ids(told.fact.text))
        said = Said(
            told.spoken.text,
            (evidence_of(told.fact, told.share),),
            _count(told.spoken, watch, tokens),
        )
        if grounding == "off":
            return said
        said = _checked(said, names)
        if said.grounded:
            return said
        return self._repaired(
            said, names, lambda opening: reader.begin_with(opening, told.fact), watch
        )

    def _repaired(
        self, said: Said, names: Names, read: Callable[[str], Spoken], watch: Stopwatch
    ) -> Said:
        """The words again, when they do not agree with the fact that was attended to.

        A name spelt nearly right is spelt right. Else the model is given the fact's own sentence up
        to its object, and goes on from there by itself. What still disagrees stays, ungrounded.
        """
        best = said.evidence[0]
        for name in names(best.object):
            text = respelled(said.text, name)
            if text is not None:
                return replace(said, text=text, grounded=True, spoken_object=best.object)
        begun = opening(best.text, best.object)
        if not begun:
            return said
        again = read(begun)
        # The first token was out long before: all of this is time spent on saying it right.
        watch.add(again.prefill_ms + again.decode_ms, "decode")
        tried = _checked(replace(said, text=again.text), names)
        if tried.grounded:
            return tried
        text = respelled(again.text, best.object)
        if text is None:
            return said
        return replace(said, text=text, grounded=True, spoken_object=best.object)


def evidence_of(candidate: Candidate, attention: float | None) -> Evidence:
    """A candidate as an answer shows it."""
    fact = candidate.fact
    return Evidence(
        fact_id=fact.id,
        text=candidate.text,
        subject=fact.subject,
        relation=fact.relation,
        object=fact.object,
        valid_from=fact.valid_from,
        valid_to=fact.valid_to,
        attention=attention,
        coarse_score=round(candidate.score, 4),
        source=fact.source,
    )


def _joined(parts: list[Said]) -> Said:
    """What was said of each fact, as one answer."""
    if len(parts) == 1:
        return parts[0]
    grounded = None if parts[0].grounded is None else all(part.grounded for part in parts)
    objects = [part.spoken_object for part in parts if part.spoken_object is not None]
    return Said(
        text=" ".join(dict.fromkeys(part.text for part in parts)),
        # A fact was attended to in its own part only: its share of the whole answer is less.
        evidence=tuple(
            replace(one, attention=round((one.attention or 0.0) / len(parts), 4))
            for part in parts
            for one in part.evidence
        ),
        usage=Usage(
            parts[0].usage.prompt_tokens,
            sum(part.usage.completion_tokens for part in parts),
            sum(part.usage.knowledge_tokens for part in parts),
        ),
        grounded=grounded,
        spoken_object=", ".join(dict.fromkeys(objects)) or None,
    )


def _checked(said: Said, names: Names) -> Said:
    """With whether the words speak the object of a fact in evidence."""
    spoken = next(
        (e.object for e in said.evidence if first_spoken(said.text, names(e.object))), None
    )
    return replace(said, grounded=spoken is not None, spoken_object=spoken)


def _count(spoken: Spoken, watch: Stopwatch, knowledge_tokens: int = 0) -> Usage:
    watch.add(spoken.prefill_ms, "prefill")
    watch.add(spoken.decode_ms, "decode")
    return Usage(spoken.prompt_tokens, spoken.completion_tokens, knowledge_tokens)
