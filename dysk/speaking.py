"""From candidates to words, one way for each mode.

closed_book speaks from the weights alone. rag puts facts into the prompt. attention reads them from
the fact memory in every layer (dysk.reading), hybrid in both ways. What is said from facts is
checked against them, and where a small model misspells or evades what it attends to, it is helped
to say it (Repair). With strict grounding it can say nothing but an object of the facts that it
reads, by one of its names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dysk.answer import Evidence, Grounding, Mode, Usage
from dysk.attention.fine import RetrievalHeads
from dysk.candidates import Candidate
from dysk.forms import Naming
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
    """Speaks with a model that may be shared. ``block_key`` names a fact's block.

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
        naming = Naming(question, names)
        if mode == "rag" and grounding == "strict":
            return self._object_from_prompt(found[:top_k], naming, watch)
        if mode == "rag":
            return self._from_prompt(found[:top_k], naming, grounding, max_tokens, watch)
        in_prompt_too = mode == "hybrid"
        return self._from_memory(found, naming, top_k, grounding, max_tokens, watch, in_prompt_too)

    def _object_from_prompt(self, facts: list[Candidate], naming: Naming, watch: Stopwatch) -> Said:
        """Nothing but one of the objects: of several, the one that the facts make likelier the
        most. Token by token, a small model chooses worse (docs/log.md).
        """
        ids = self.model.question_ids(naming.question)
        objects = [fact.fact.object for fact in facts]
        # Of facts that give one name to two things, the better is meant.
        meant = {naming.wanted(each)[0]: each for each in reversed(objects)}
        names, priors = list(meant), list[float]()
        if len(names) > 1:
            with watch.stage("select"):
                priors = self.model.log_probabilities(ids, names)
        spoken = self.model.speak(
            ids,
            context=[self.model.fact_ids(fact.text) for fact in reversed(facts)],
            allowed=names,
            priors=priors,
        )
        evidence = tuple(evidence_of(fact, None) for fact in facts)
        return Said(spoken.text, evidence, _count(spoken, watch), True, meant[spoken.text])

    def _from_prompt(
        self,
        facts: list[Candidate],
        naming: Naming,
        grounding: Grounding,
        max_tokens: int,
        watch: Stopwatch,
    ) -> Said:
        """The facts stand in the prompt, the best one next to the question."""
        ids = self.model.question_ids(naming.question)

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
        said = _checked(said, naming)
        return (
            said
            if said.grounded or not self.repairs_rag
            else self._repaired(said, naming, read, watch)
        )

    def _from_memory(
        self,
        found: list[Candidate],
        naming: Naming,
        top_k: int,
        grounding: Grounding,
        max_tokens: int,
        watch: Stopwatch,
        in_prompt_too: bool,
    ) -> Said:
        strict = grounding == "strict"
        with watch.stage("encode"):
            lease = self.model.memory.lease([(self.block_key(c.fact.id), c.text) for c in found])
        with lease:
            reader = MemoryReader(
                self.model,
                self.heads,
                self.model.question_ids(naming.question),
                found,
                lease.rows[None],
                top_k,
                max_tokens,
                in_prompt_too,
                watch,
                (lambda fact: naming.wanted(fact.fact.object)) if strict else None,
            )
            return _joined(
                [self._said(told, reader, naming, grounding, watch) for told in reader.speak()],
                ", " if strict else " ",
            )

    def _said(
        self,
        told: Told,
        reader: MemoryReader,
        naming: Naming,
        grounding: Grounding,
        watch: Stopwatch,
    ) -> Said:
        tokens = len(self.model.fact_ids(told.fact.text))
        said = Said(
            told.spoken.text,
            (evidence_of(told.fact, told.share),),
            _count(told.spoken, watch, tokens),
        )
        if grounding == "off":
            return said
        if grounding == "strict":
            return replace(said, grounded=True, spoken_object=told.fact.fact.object)
        said = _checked(said, naming)
        if said.grounded:
            return said
        return self._repaired(
            said, naming, lambda opening: reader.begin_with(opening, told.fact), watch
        )

    def _repaired(
        self, said: Said, naming: Naming, read: Callable[[str], Spoken], watch: Stopwatch
    ) -> Said:
        """The words again, when they do not agree with the fact that was attended to.

        A name spelt nearly right is spelt right. Else the model is given the fact's own sentence up
        to its object, and goes on from there by itself. What still disagrees stays, ungrounded.
        """
        best = said.evidence[0]
        for name in naming.accepted(best.object):
            text = respelled(said.text, name)
            if text is not None:
                return replace(said, text=text, grounded=True, spoken_object=best.object)
        begun = opening(best.text, best.object)
        if not begun:
            return said
        again = read(begun)
        # The first token was out long before: all of this is time spent on saying it right.
        watch.add(again.prefill_ms + again.decode_ms, "decode")
        tried = _checked(replace(said, text=again.text), naming)
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


def _joined(parts: list[Said], between: str) -> Said:
    """What was said of each fact, as one answer."""
    if len(parts) == 1:
        return parts[0]
    grounded = None if parts[0].grounded is None else all(part.grounded for part in parts)
    objects = [part.spoken_object for part in parts if part.spoken_object is not None]
    return Said(
        text=between.join(dict.fromkeys(part.text for part in parts)),
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


def _checked(said: Said, naming: Naming) -> Said:
    """With whether the words speak the object of a fact in evidence."""
    spoken = next(
        (e.object for e in said.evidence if first_spoken(said.text, naming.accepted(e.object))),
        None,
    )
    return replace(said, grounded=spoken is not None, spoken_object=spoken)


def _count(spoken: Spoken, watch: Stopwatch, knowledge_tokens: int = 0) -> Usage:
    watch.add(spoken.prefill_ms, "prefill")
    watch.add(spoken.decode_ms, "decode")
    return Usage(spoken.prompt_tokens, spoken.completion_tokens, knowledge_tokens)
