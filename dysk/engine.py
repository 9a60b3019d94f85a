"""Engine.ask: from a question to an answer with evidence. The whole story.

1. *Time*: which moment is asked about. 2. *Pin* one revision of the graph. 3. *Coarse*: C candidate
facts, valid then. 4. *Encode*: their blocks in the fact memory, made where missing. 5. *Select*:
retrieval heads choose the few that are read. 6. *Read and speak*: the frozen model attends to them
in every layer. 7. *Check* what was said against what was read.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf

import torch
from torch import Tensor

from dysk.answer import Answer, Evidence, Grounding, Mode, Usage
from dysk.attention import Reading
from dysk.attention.fine import RetrievalHeads, select
from dysk.candidates import REACH, Candidate, read_query, retrieve
from dysk.checks import check_question
from dysk.errors import RevisionNotReached
from dysk.grounding import first_spoken
from dysk.language_model import LanguageModel, Spoken
from dysk.retrieval.encoder import TextEncoder
from dysk.retrieval.time import TimeInterpretation
from dysk.sync import Syncer
from graph.errors import NotFound
from graph.interval import Period, now_period, parse_date, parse_interval
from graph.store import FactStore, Snapshot

ABSTAIN_BELOW = 0.4
"""Coarse score under which the best fact has nothing to do with the question."""
TEMPERATURE, GATE = 0.8, 1.0
"""How the chosen facts are read: sharper than text, and a factor e heavier beside the question. Both
measured on four sets (docs/log.md)."""
UNKNOWN = "I don't know: no fact in the graph answers this."


@dataclass(frozen=True, slots=True)
class _Said:
    text: str
    evidence: tuple[Evidence, ...]
    usage: Usage


class Stopwatch:
    """Milliseconds by stage."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = dict.fromkeys(
            ("time", "coarse", "encode", "select", "prefill", "decode"), 0.0
        )
        self._began = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add what happens inside to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] += (time.perf_counter() - began) * 1e3

    def report(self) -> dict[str, float]:
        """All stages and the total since the start."""
        total = (time.perf_counter() - self._began) * 1e3
        return {name: round(ms, 3) for name, ms in {**self.stages, "total": total}.items()}


class Engine:
    """Answers questions about one graph with models that several graphs may share."""

    def __init__(
        self,
        store: FactStore,
        syncer: Syncer,
        encoder: TextEncoder,
        model: LanguageModel,
        heads: RetrievalHeads,
        *,
        graph: str = "",
        reach: float = REACH,
    ) -> None:
        self._graph = graph
        self._store = store
        self._syncer = syncer
        self._encoder = encoder
        self._model = model
        self._heads = heads
        self._reach = reach

    def ask(
        self,
        question: str,
        *,
        as_of: str | None = None,
        known_at: str | None = None,
        min_revision: int | None = None,
        mode: Mode = "attention",
        candidates: int = 32,
        top_k: int = 4,
        grounding: Grounding = "check",
        max_tokens: int = 48,
    ) -> Answer:
        """Answer from one revision of the graph.

        ``as_of`` None reads the time from the question, and asks about now where it names none.
        ``candidates`` facts are weighed and ``top_k`` read (in mode rag: put into the prompt).
        Raises InvalidQuestion, InvalidTime, RevisionNotReached.
        """
        check_question(question)
        watch = Stopwatch()
        with self._pin(known_at, min_revision) as snapshot:
            with watch.stage("time"):
                self._syncer.catch_up(snapshot.revision)
                query, time = read_query(question, self._syncer, self._encoder, datetime.now(UTC))
                period, interpretation = _asked_period(time, as_of)
            found: list[Candidate] = []
            if mode != "closed_book":
                with watch.stage("coarse"):
                    # A prompt takes the facts it was asked to take, near misses included.
                    count, reach = (top_k, inf) if mode == "rag" else (candidates, self._reach)
                    found = retrieve(self._syncer, snapshot, query, period, count, reach=reach)
            relevant = mode == "closed_book" or (found and found[0].score >= ABSTAIN_BELOW)
            try:
                with self._model.lock:
                    said = (
                        self._speak(question, mode, found, top_k, max_tokens, watch)
                        if relevant
                        else _Said(UNKNOWN, (), Usage())
                    )
            finally:
                self._forget_erased(found, since=snapshot.revision)
            conflicts = _disagreeing(said.evidence, snapshot)
            answer = Answer(
                text=said.text,
                status="abstained" if not relevant else "conflict" if conflicts else "answered",
                mode=mode,
                as_of=period.text,
                revision=snapshot.revision,
                time_interpretation=interpretation,
                evidence=said.evidence,
                conflicts=conflicts,
                usage=said.usage,
            )
            return replace(
                _ground(answer, snapshot, grounding) if relevant else answer,
                timings_ms=watch.report(),
            )

    @contextmanager
    def _pin(self, known_at: str | None, min_revision: int | None) -> Iterator[Snapshot]:
        if min_revision is not None and min_revision > self._store.revision:
            raise RevisionNotReached(
                f"revision {min_revision} is not recorded yet, the graph is at "
                f"{self._store.revision}: ask again later, or leave min_revision out"
            )
        moment = None if known_at is None else parse_date(known_at)
        with self._store.snapshot(known_at=moment) as snapshot:
            yield snapshot

    # -- erasure --------------------------------------------------------------------------------

    def forget(self, fact_ids: Iterable[str]) -> None:
        """Erasure reaches the blocks of these facts."""
        self._model.memory.forget([self._block_key(fact_id) for fact_id in fact_ids])

    def _forget_erased(self, found: list[Candidate], since: int) -> None:
        """A fact may be erased after it was found and before its block was made."""
        if self._store.revision == since:
            return
        with self._store.snapshot() as latest:
            self.forget([c.fact.id for c in found if not _is_recorded(c.fact.id, latest)])

    def _block_key(self, fact_id: str) -> str:
        """Graphs share the memory, and each numbers its facts from f1."""
        return f"{self._graph}/{fact_id}"

    # -- one mode each --------------------------------------------------------------------------

    def _speak(
        self,
        question: str,
        mode: Mode,
        found: list[Candidate],
        top_k: int,
        max_tokens: int,
        watch: Stopwatch,
    ) -> _Said:
        if mode == "closed_book":
            ids = self._model.question_ids(question, closed=True)
            spoken = self._model.speak(ids, closed=True, drafts=[ids], max_tokens=max_tokens)
            return _said(spoken, (), watch)
        if mode == "rag":
            return self._speak_from_prompt(question, found[:top_k], max_tokens, watch)
        return self._speak_from_memory(question, found, top_k, max_tokens, watch, mode == "hybrid")

    def _speak_from_prompt(
        self, question: str, facts: list[Candidate], max_tokens: int, watch: Stopwatch
    ) -> _Said:
        """rag: the facts stand in the prompt, the best one next to the question."""
        ids = self._model.question_ids(question)
        spoken = self._model.speak(
            ids,
            context=[self._model.fact_ids(fact.text) for fact in reversed(facts)],
            drafts=[*(self._model.draft_ids(fact.text) for fact in facts), ids],
            max_tokens=max_tokens,
        )
        return _said(spoken, tuple(_evidence(fact, None) for fact in facts), watch)

    def _speak_from_memory(
        self,
        question: str,
        found: list[Candidate],
        top_k: int,
        max_tokens: int,
        watch: Stopwatch,
        in_prompt_too: bool,
    ) -> _Said:
        """attention and hybrid: choose with the retrieval heads, then read the chosen in every
        layer.
        """
        memory = self._model.memory
        ids = self._model.question_ids(question)
        with watch.stage("encode"):
            lease = memory.lease([(self._block_key(c.fact.id), c.text) for c in found])
        with lease:
            rows = lease.rows[None]
            span = int(memory.length[lease.rows].max())
            with watch.stage("select"):
                chosen = self._choose(ids, found, rows, span)[:top_k]
            reading = Reading(
                memory,
                rows[:, chosen],
                k=len(chosen),
                temperature=TEMPERATURE,
                gate=GATE,
                watched=self._heads.by_layer,
            )
            facts = [found[i] for i in chosen]
            spoken = self._model.speak(
                ids,
                reading=reading,
                span=span,
                context=[self._model.fact_ids(facts[0].text)] if in_prompt_too else (),
                drafts=[*(self._model.draft_ids(fact.text) for fact in facts), ids],
                max_tokens=max_tokens,
            )
            attention = reading.shares()
            known = int(memory.length[reading.candidates].sum())
        evidence = tuple(_evidence(fact, a) for fact, a in zip(facts, attention, strict=True))
        return _said(spoken, evidence, watch, known)

    def _choose(
        self, question_ids: list[int], found: list[Candidate], rows: Tensor, span: int
    ) -> list[int]:
        """Which candidates are read: the retrieval heads' best, and its equals.

        One slot needs no choice, and no pass over the question.
        """
        if len({candidate.slot for candidate in found}) == 1:
            return _of_one_slot(found, list(range(len(found))))
        coarse = torch.tensor([[candidate.score for candidate in found]])
        probe = self._model.probe(question_ids, self._heads.layers, span)
        fine = select(probe, self._model.memory, self._heads, rows, coarse)[0]
        return _of_one_slot(found, fine.sort(descending=True, stable=True).indices.tolist())


def search(
    syncer: Syncer,
    encoder: TextEncoder,
    snapshot: Snapshot,
    text: str,
    as_of: str | None,
    limit: int,
) -> list[Evidence]:
    """The coarse stage by itself: facts ranked against a text, valid then or when the text says."""
    syncer.catch_up(snapshot.revision)
    query, time = read_query(text, syncer, encoder, datetime.now(UTC))
    period, _ = _asked_period(time, as_of)
    found = retrieve(syncer, snapshot, query, period, limit, reach=inf)
    return [_evidence(candidate, None) for candidate in found]


def _asked_period(time: TimeInterpretation, as_of: str | None) -> tuple[Period, str | None]:
    if as_of is not None:
        return parse_date(as_of), None
    if time.as_of is None:
        return now_period(), None
    return time.as_of, f"“{time.text}” was read as {time.as_of.text}"


def _of_one_slot(found: list[Candidate], order: list[int]) -> list[int]:
    """The best candidate and, best first, those that answer the same just as well.

    They share its subject, relation and fit in time. A fact of another slot would be a distractor:
    a small model that reads near misses beside the right fact often speaks one (docs/log.md).
    """
    best = found[order[0]]
    return [i for i in order if found[i].slot == best.slot and found[i].score == best.score]


def _is_recorded(fact_id: str, snapshot: Snapshot) -> bool:
    try:
        snapshot.get(fact_id)
    except NotFound:
        return False
    return True


def _said(
    spoken: Spoken, evidence: tuple[Evidence, ...], watch: Stopwatch, known_tokens: int = 0
) -> _Said:
    watch.stages["prefill"] += spoken.prefill_ms
    watch.stages["decode"] += spoken.decode_ms
    usage = Usage(spoken.prompt_tokens, spoken.completion_tokens, known_tokens)
    return _Said(spoken.text, evidence, usage)


def _evidence(candidate: Candidate, attention: float | None) -> Evidence:
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


def _disagreeing(evidence: tuple[Evidence, ...], snapshot: Snapshot) -> tuple[str, ...]:
    """Ids of facts that hold at one time and state different objects of the best fact's `one`
    relation.
    """
    if not evidence or snapshot.relation(evidence[0].relation).cardinality != "one":
        return ()
    best = evidence[0]
    held = parse_interval(best.valid_from, best.valid_to)
    rivals = [
        other.fact_id
        for other in evidence[1:]
        if (other.subject, other.relation) == (best.subject, best.relation)
        and other.object != best.object
        and parse_interval(other.valid_from, other.valid_to).overlaps(held)
    ]
    return (best.fact_id, *rivals) if rivals else ()


def _ground(answer: Answer, snapshot: Snapshot, grounding: Grounding) -> Answer:
    """Check the words against the objects of the facts read; strict lets nothing else be said."""
    if grounding == "off" or answer.mode == "closed_book":
        return answer
    names = {e.object: (e.object, *snapshot.aliases(e.object)) for e in answer.evidence}
    spoken = next(
        (object_ for object_, forms in names.items() if first_spoken(answer.text, forms)), None
    )
    if grounding == "strict":
        if spoken is None:
            return replace(answer, text=UNKNOWN, status="abstained", grounded=False)
        return replace(answer, text=spoken, grounded=True)
    return replace(answer, grounded=spoken is not None)
