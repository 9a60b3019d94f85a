"""A stand-in for ``dysk.Dysk``: a real store, and answers looked up by name instead of read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dysk.answer import Answer, AnswerStatus, Evidence, Grounding, Mode, Usage
from dysk.errors import InvalidQuestion, RevisionNotReached
from graph.fact import Fact
from graph.interchange import ImportReport, jsonl
from graph.interval import now_period, parse_date
from graph.store import FactStore

NOTHING = "Nothing in the graph answers that."


class FakeDysk:
    """Knows a fact when the question names its subject; closed book, it believes the first it read.

    Times are made up and always the same: 10 ms to the first token closed book, 12 with attention,
    1 more for each fact in the prompt. ``asked`` keeps each call as (mode, question, as_of).
    """

    def __init__(self, store: FactStore) -> None:
        self.store = store
        self.asked: list[tuple[Mode, str, str | None]] = []

    def import_lines(
        self, lines: Iterable[bytes], *, extra_attributes: bool = False
    ) -> ImportReport:
        """Load JSON Lines through the store's own reader."""
        return jsonl.load(self.store, lines, extra="attributes" if extra_attributes else "reject")

    def syncer(self) -> FakeDysk:
        """There is no index that could be behind."""
        return self

    def catch_up(self, revision: int) -> None:
        """A look-up always sees the latest."""
        assert revision <= self.store.revision

    def facts(self, *, limit: int | None = None) -> list[Fact]:
        """Facts in order of their first recording."""
        with self.store.snapshot() as snapshot:
            return list(snapshot.facts(limit=limit))

    def ask(
        self,
        question: str,
        *,
        as_of: str | None = None,
        min_revision: int | None = None,
        mode: Mode = "attention",
        candidates: int = 32,
        top_k: int = 4,
        grounding: Grounding = "check",
        max_tokens: int = 48,
    ) -> Answer:
        """Speak the object of the first fact found; a question about a dragon is one too many."""
        self.asked.append((mode, question, as_of))
        if "dragon" in question:
            raise InvalidQuestion("ask about something else")
        if min_revision is not None and min_revision > self.store.revision:
            raise RevisionNotReached(f"revision {min_revision} is not there yet")
        moment = now_period() if as_of is None else parse_date(as_of)
        with self.store.snapshot() as snapshot:
            every = [fact for fact in snapshot.facts() if fact.subject in question]
            known = list(snapshot.facts(as_of=moment)) if mode != "closed_book" else every
        found = [fact for fact in known if fact.subject in question][:top_k]
        read = [] if mode == "closed_book" else found
        text = f"It is {found[0].object}." if found else NOTHING
        status: AnswerStatus = "answered" if found else "abstained"
        first = 10.0 + (2 if mode in ("attention", "hybrid") else 0) + (mode == "rag") * len(read)
        return Answer(
            text=text,
            status=status,
            mode=mode,
            as_of=moment.text,
            revision=self.store.revision,
            evidence=tuple(_evidence(read, mode)),
            grounded=True if read else None,
            usage=Usage(
                prompt_tokens=20 + (10 * len(read) if mode in ("rag", "hybrid") else 0),
                completion_tokens=min(5, max_tokens),
                knowledge_tokens=10 * len(read) if mode in ("attention", "hybrid") else 0,
            ),
            timings_ms={"prefill": first, "decode": 30.0, "total": first + 30.0},
        )


def _evidence(facts: Sequence[Fact], mode: Mode) -> list[Evidence]:
    return [
        Evidence(
            fact_id=fact.id,
            text=f"{fact.subject} {fact.relation} {fact.object}",
            subject=fact.subject,
            relation=fact.relation,
            object=fact.object,
            valid_from=fact.valid_from,
            valid_to=fact.valid_to,
            attention=None if mode == "rag" else 1 / (2 + rank),
            coarse_score=1 - rank / 10,
            source=fact.source,
        )
        for rank, fact in enumerate(facts)
    ]
