"""A loaded graph with dysk in one corner and its rivals in the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING

from benchmarks.rivals.entries import Entry, build
from benchmarks.rivals.protocol import Models, Rival
from benchmarks.systems import CANDIDATES, TOP_K
from dysk.answer import Answer, Grounding, Mode
from dysk.candidates import REACH, read_time
from dysk.retrieval.encoder import CachedEncoder
from dysk.retrieval.verbalize import verbalize
from dysk.speaking import Speaker
from graph.fact import Command, Fact
from graph.store import Receipt

if TYPE_CHECKING:
    from dysk.client import Dysk
    from dysk.engine import Engine
    from dysk.workspace import Workspace


class Ring:
    """Asks dysk, or a rival that was told every fact of the graph one by one, at its first ask."""

    def __init__(self, graph: Dysk, workspace: Workspace) -> None:
        self._graph = graph
        self._workspace = workspace
        self._rivals: dict[Entry, Rival] = {}

    def ask(
        self,
        question: str,
        *,
        as_of: str | None = None,
        min_revision: int | None = None,
        mode: Mode = "attention",
        candidates: int = CANDIDATES,
        top_k: int = TOP_K,
        grounding: Grounding = "check",
        max_tokens: int = 48,
    ) -> Answer:
        """Ask dysk as everybody does."""
        return self._graph.ask(
            question,
            as_of=as_of,
            min_revision=min_revision,
            mode=mode,
            candidates=candidates,
            top_k=top_k,
            grounding=grounding,
            max_tokens=max_tokens,
        )

    @cached_property
    def repairing(self) -> Engine:
        """dysk's own RAG, with the repair that attention gets."""
        return self._engine(repairs_rag=True)

    @cached_property
    def far_reaching(self) -> Engine:
        """dysk weighing all candidates: else those far behind the best are left out, and modes
        that are timed side by side would read different numbers of facts.
        """
        return self._engine(reach=inf)

    def _engine(self, *, reach: float = REACH, repairs_rag: bool = False) -> Engine:
        from dysk.engine import Engine

        return Engine(
            self._graph.store,
            self._graph.syncer(),
            self._workspace.encoder(),
            self._workspace.model(),
            self._workspace.heads(),
            graph=self._graph.name,
            reach=reach,
            repairs_rag=repairs_rag,
        )

    def apply(self, commands: Sequence[Command]) -> Receipt:
        """Write to dysk's graph; see ``tell``."""
        return self._graph.apply(commands)

    def tell(self, facts: Sequence[Fact]) -> None:
        """Have every rival that was built know these versions."""
        for rival in self._rivals.values():
            for fact in facts:
                rival.update(fact)

    def rival(self, entry: Entry) -> Rival:
        """The rival, told all facts that the graph holds now if it is new."""
        if entry not in self._rivals:
            rival = build(entry, self._models)
            for fact in self._graph.facts():
                rival.update(fact)
            self._rivals[entry] = rival
        return self._rivals[entry]

    @cached_property
    def _models(self) -> Models:
        model, syncer = self._workspace.model(), self._graph.syncer()
        store = self._graph.store

        def wording(fact: Fact) -> str:
            with store.snapshot() as snapshot:
                return verbalize(fact, snapshot.relation(fact.relation))

        def names(entity: str) -> tuple[str, ...]:
            with store.snapshot() as snapshot:
                return (entity, *snapshot.aliases(entity))

        return Models(
            language=model,
            # Sentences of one fact come back in several rivals.
            encoder=CachedEncoder(self._workspace.encoder()),
            speaker=Speaker(model, self._workspace.heads(), lambda fact_id: f"rival/{fact_id}"),
            read_time=lambda question: read_time(question, syncer, datetime.now(UTC)),
            wording=wording,
            names=names,
        )
