"""An engine over a store in memory, with a model and an encoder that take milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Self

from dysk import Dysk
from dysk.answer import Answer, Mode
from dysk.engine import Engine
from dysk.language_model import LanguageModel
from dysk.retrieval.encoder import CachedEncoder, HashEncoder
from dysk.retrieval.exact import ExactIndex
from dysk.sync import Syncer
from graph import Add, Correct, End, Erase, MemoryStore, Relation, Retract, SetRelation
from tests.contracts.tiny_model import HEADS

KING = "king"
QUESTION = "Who is the king of Zembla?"
READING: list[Mode] = ["rag", "attention", "hybrid"]


def objects(answer: Answer) -> list[str]:
    """What the facts in evidence say, best first."""
    return [evidence.object for evidence in answer.evidence]


class World:
    """A store in which a country has one king at a time, and what answers questions about it.

    As a context it leaves no block in the fact memory of the model, which tests share.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        clock: Callable[[], datetime] | None = None,
        graph: str = "default",
    ) -> None:
        self.store = MemoryStore(clock) if clock else MemoryStore()
        self.encoder = CachedEncoder(HashEncoder(256))
        self.syncer = Syncer(self.store, self.encoder, index=ExactIndex(256), on_erase=self._forget)
        self.engine = Engine(
            self.store, self.syncer, self.encoder.encoder, model, HEADS, graph=graph
        )
        self.store.apply([SetRelation(Relation(KING, "one"))])

    def add(
        self,
        subject: str,
        relation: str,
        object: str,
        valid_from: str | None = None,
        valid_to: str | None = None,
        **more: Any,
    ) -> str:
        """State a fact; returns its id."""
        command = Add(subject, relation, object, valid_from, valid_to, **more)
        fact = self.store.apply([command]).items[0].fact
        assert fact is not None
        return fact.id

    def end(self, fact_id: str, at: str) -> None:
        self.store.apply([End(fact_id, at)])

    def correct(self, fact_id: str, **changes: object) -> None:
        self.store.apply([Correct(fact_id, changes)])

    def retract(self, fact_id: str) -> None:
        self.store.apply([Retract(fact_id)])

    def erase(self, fact_id: str) -> None:
        """As Dysk.erase does it."""
        receipt = self.store.apply([Erase(fact_id)])
        self.syncer.catch_up(receipt.revision)

    def ask(self, question: str, **options: Any) -> Answer:
        """Ask with few tokens: what a random model says is of no interest."""
        return self.engine.ask(question, **{"max_tokens": 3, **options})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.store.snapshot() as snapshot:
            facts = [*snapshot.facts(), *snapshot.facts(status="retracted")]
        self.engine.forget([fact.id for fact in facts])

    def _forget(self, fact_ids: list[str]) -> None:
        self.engine.forget(fact_ids)


def added(d: Dysk, *triple: str, **more: object) -> str:
    """State a fact; returns its id."""
    fact = d.add(*triple, **more).items[0].fact  # type: ignore[arg-type]
    assert fact is not None
    return fact.id
