"""A workspace with real stores and a pretended model, for tests of the service alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dysk.answer import Answer, Evidence, Grounding, Mode
from dysk.client import Dysk
from dysk.errors import RevisionNotReached
from dysk.workspace import Workspace
from graph import FactStore, parse_date
from graph.fact import Fact
from graph.interval import now_period


class FakeGraph(Dysk):
    """One graph: everything about facts is real; an ask says the object of the first fact that has
    a word of the question in its subject.
    """

    def __init__(self, name: str, store: FactStore, workspace: Workspace) -> None:
        super().__init__(name, store, workspace)
        self.model_free = threading.Event()
        self.model_free.set()
        self.asking = threading.Event()
        self.asks = 0
        self.failure: Exception | None = None

    def search(self, text: str, *, as_of: str | None = None, limit: int = 8) -> list[Evidence]:
        period = now_period() if as_of is None else parse_date(as_of)
        words = {word.strip("?.,").casefold() for word in text.split()}
        with self.store.snapshot() as snapshot:
            facts = list(snapshot.facts(as_of=period))
        found = [fact for fact in facts if words & set(fact.subject.casefold().split())]
        return [_evidence(fact) for fact in found[:limit]]

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
        max_tokens: int = 32,
    ) -> Answer:
        self.asking.set()
        self.asks += 1
        if question.startswith("Slowly"):
            time.sleep(1)
        if not self.model_free.wait(timeout=30):
            raise AssertionError("the test forgot to free the model")
        if self.failure is not None:
            raise self.failure
        revision = self.store.revision
        if min_revision is not None and min_revision > revision:
            raise RevisionNotReached(f"revision {min_revision} is not here yet: at {revision}")
        evidence = self.search(question, as_of=as_of, limit=top_k)
        return Answer(
            text=evidence[0].object if evidence else "I do not know.",
            status="answered" if evidence else "abstained",
            mode=mode,
            as_of=as_of or now_period().text,
            revision=revision,
            evidence=tuple(evidence),
            grounded=bool(evidence),
            timings_ms={"total": 1.0},
        )


class FakeWorkspace(Workspace):
    """A real workspace whose graphs are FakeGraphs and whose models are never loaded."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.parts = {"encoder": "ok", "model": "ok"}
        self.warmed = threading.Event()
        self.warm_failure: Exception | None = None
        self.closed = False
        self._fakes: dict[str, FakeGraph] = {}
        self._fakes_lock = threading.Lock()

    def graph(self, name: str = "default", *, create: bool = False) -> FakeGraph:
        with self._fakes_lock:
            real = super().graph(name, create=create)
            fake = self._fakes.get(name)
            if fake is None or fake.store is not real.store:
                fake = self._fakes[name] = FakeGraph(name, real.store, self)
            return fake

    def warm(
        self,
        progress: Callable[[str], None] | None = None,
        *,
        graphs: Sequence[str] | None = None,
    ) -> None:
        self.warmed.set()
        if self.warm_failure is not None:
            raise self.warm_failure

    def readiness(self) -> dict[str, str]:
        return {**super().readiness(), **self.parts}

    def close(self) -> None:
        self.closed = True
        super().close()


def _evidence(fact: Fact) -> Evidence:
    return Evidence(
        fact_id=fact.id,
        text=f"The {fact.relation} of {fact.subject} is {fact.object}.",
        subject=fact.subject,
        relation=fact.relation,
        object=fact.object,
        valid_from=fact.valid_from,
        valid_to=fact.valid_to,
        attention=0.5,
        coarse_score=0.9,
        source=fact.source,
    )
