"""Engine.ask: from a question to an answer with evidence. The whole story.

1. *Time*: which moment is asked about. 2. *Pin* one revision of the graph. 3. *Coarse*: C candidate
facts, valid then. 4. *Encode*: their blocks in the fact memory, made where missing. 5. *Select*:
retrieval heads choose the few that are read. 6. *Read and speak*: the frozen model attends to them
in every layer. 7. *Check* what was said against what was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf

from dysk.answer import Answer, Evidence, Grounding, Mode
from dysk.attention.fine import RetrievalHeads
from dysk.calibration import calibration_for
from dysk.candidates import REACH, Candidate, Query, read_query, read_time, retrieve
from dysk.chains import find_chain
from dysk.checks import check_question
from dysk.errors import RevisionNotReached
from dysk.language_model import LanguageModel
from dysk.relevance import FAR, NEIGHBOURS
from dysk.retrieval.encoder import TextEncoder
from dysk.retrieval.time import TimeInterpretation
from dysk.speaking import Said, Speaker, evidence_of
from dysk.stopwatch import Stopwatch
from dysk.sync import Syncer
from graph.errors import NotFound
from graph.interval import Period, now_period, parse_date, parse_interval
from graph.store import FactStore, Snapshot

_RIVALS = 2
"""So many of the best single facts compete with a chain of facts."""
UNKNOWN = "I don't know: no fact in the graph answers this."


@dataclass(frozen=True, slots=True)
class _Asked:
    """What facts are sought for: a question without its time, and when they have to hold.

    ``past`` is the past time that it spells out; ``strict`` would rather find nothing.
    """

    query: Query
    snapshot: Snapshot
    period: Period
    past: Period | None
    strict: bool


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
        repairs_rag: bool = False,
    ) -> None:
        self._graph = graph
        self._store = store
        self._syncer = syncer
        self._encoder = encoder
        self._model = model
        self._speaker = Speaker(model, heads, self._block_key, repairs_rag)
        self._reach = reach
        self._calibration = calibration_for(encoder.fingerprint)

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
                time = read_time(question, self._syncer, datetime.now(UTC))
                period, past, interpretation = asked_period(time, as_of)
            found: list[Candidate] = []
            passed: list[Candidate] = []
            if mode != "closed_book":
                with watch.stage("coarse"):
                    query = read_query(time.question_without_time, self._syncer, self._encoder)
                    asked = _Asked(query, snapshot, period, past, strict=grounding == "strict")
                    if mode == "rag":
                        found = self._find_for_prompt(asked, top_k)
                    else:
                        found, passed = self._find(asked, candidates)
            relevant = mode == "closed_book" or bool(found)
            said = Said(UNKNOWN)
            if relevant:
                try:
                    said = self._speaker.speak(
                        question,
                        mode,
                        found,
                        lambda entity: (entity, *snapshot.aliases(entity)),
                        top_k=top_k,
                        grounding=grounding,
                        max_tokens=max_tokens,
                        watch=watch,
                    )
                finally:
                    self._forget_erased(found, since=snapshot.revision)
            evidence = (*said.evidence, *(evidence_of(candidate, None) for candidate in passed))
            conflicts = _disagreeing(evidence, snapshot)
            answer = Answer(
                text=said.text,
                status="abstained" if not relevant else "conflict" if conflicts else "answered",
                mode=mode,
                as_of=period.text,
                revision=snapshot.revision,
                time_interpretation=interpretation,
                evidence=evidence,
                grounded=said.grounded,
                conflicts=conflicts,
                usage=said.usage,
            )
            return replace(answer, timings_ms=watch.report())

    def _find(self, asked: _Asked, count: int) -> tuple[list[Candidate], list[Candidate]]:
        """Candidates to read, and facts that only lead to them; none where none is relevant."""
        # Rivals too far behind to be read still tell how surely the best one is meant.
        found = self._retrieve(asked, count, max(self._reach, FAR))
        chain = self._chain(asked, found)
        if chain:
            return chain[-1:], chain[-2::-1]
        if not self._is_answered(asked, found):
            return [], []
        least = found[0].score - self._reach
        return [candidate for candidate in found[:count] if candidate.score >= least], []

    def _find_for_prompt(self, asked: _Asked, count: int) -> list[Candidate]:
        """A prompt takes as many facts as it was asked to take, near misses included."""
        found = self._retrieve(asked, count, inf)
        chain = self._chain(asked, found)
        if chain:
            ids = {candidate.fact.id for candidate in chain}
            others = [candidate for candidate in found if candidate.fact.id not in ids]
            return [*chain[::-1], *others][:count]
        return found[:count] if self._is_answered(asked, found) else []

    def _retrieve(self, asked: _Asked, count: int, reach: float) -> list[Candidate]:
        return retrieve(
            self._syncer,
            asked.snapshot,
            asked.query,
            asked.period,
            max(count, NEIGHBOURS),
            past=asked.past,
            reach=reach,
        )

    def _chain(self, asked: _Asked, found: list[Candidate]) -> list[Candidate]:
        rivals = [candidate.slot for candidate in found[:_RIVALS]]
        return find_chain(asked.query, rivals, self._syncer, asked.snapshot, asked.period)

    def _is_answered(self, asked: _Asked, found: list[Candidate]) -> bool:
        return self._calibration.is_answered(
            found, asked.query, self._syncer, asked.snapshot, asked.period, strict=asked.strict
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
    time = read_time(text, syncer, datetime.now(UTC))
    query = read_query(time.question_without_time, syncer, encoder)
    period, past, _ = asked_period(time, as_of)
    found = retrieve(syncer, snapshot, query, period, limit, past=past, reach=inf)
    return [evidence_of(candidate, None) for candidate in found]


def asked_period(
    time: TimeInterpretation, as_of: str | None
) -> tuple[Period, Period | None, str | None]:
    """When facts have to hold, the past time that the question spells out, and how it was read."""
    spoken = time.as_of
    period = parse_date(as_of) if as_of is not None else spoken or now_period()
    told = (
        None if as_of is not None or spoken is None else f"“{time.text}” was read as {spoken.text}"
    )
    if spoken is None or spoken.end > now_period().start or not _overlap(spoken, period):
        # Words are vague, as_of is exact.
        return period, None, told
    return period, spoken, told


def _overlap(one: Period, other: Period) -> bool:
    return max(one.start, other.start) < min(one.end, other.end)


def _is_recorded(fact_id: str, snapshot: Snapshot) -> bool:
    try:
        snapshot.get(fact_id)
    except NotFound:
        return False
    return True


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
