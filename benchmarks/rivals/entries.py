"""The rivals by name, cheap to import: what each needs is loaded when it first answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from benchmarks.schema import Question
from dysk.answer import Answer, Mode

if TYPE_CHECKING:
    from benchmarks.rivals.protocol import Models, Rival
    from benchmarks.systems import Asker

Kind = Literal["rag", "oracle", "ike", "kblam", "kv_reuse", "lora", "rome", "grace"]
Ranking = Literal["bm25", "dense", "fused"]
COUNTS = (1, 8, 32)


@dataclass(frozen=True, slots=True)
class Entry:
    """A rival in a run. ``facts`` is how many it reads; None is all that hold at the time."""

    name: str
    kind: Kind
    ranking: Ranking = "fused"
    facts: int | None = 1

    @property
    def mode(self) -> Mode:
        """The mode of dysk's that it stands beside."""
        if self.is_taught:
            return "closed_book"
        return "attention" if self.kind in ("kblam", "kv_reuse") else "rag"

    @property
    def is_taught(self) -> bool:
        """It keeps facts in weights or layers, and reads none when it is asked."""
        return self.kind in ("lora", "rome", "grace")

    def ask(self, graph: Asker, question: Question, revision: int) -> Answer:
        """Ask the rival that was told the facts of this graph. Raises TypeError for a graph that
        is not in a Ring.
        """
        from benchmarks.rivals.ring import Ring

        if not isinstance(graph, Ring):
            raise TypeError("rivals need a Ring around the graph")
        return graph.rival(self).ask(question)


ENTRIES = (
    *(
        Entry(f"{ranking}_rag{count}", "rag", ranking, count)
        for ranking in ("bm25", "dense", "fused")
        for count in COUNTS
    ),
    Entry("oracle", "oracle"),
    Entry("ike", "ike"),
    Entry("kblam32", "kblam", facts=32),
    Entry("kblam", "kblam", facts=None),
    Entry("kv_reuse8", "kv_reuse", facts=8),
    Entry("kv_reuse32", "kv_reuse", facts=32),
    Entry("lora", "lora"),
    Entry("rome", "rome"),
    Entry("grace", "grace"),
)


def build(entry: Entry, models: Models) -> Rival:
    """The rival, knowing nothing yet. Raises BenchmarkError where it lacks a package."""
    if entry.is_taught:
        return _taught(entry, models)
    from benchmarks.rivals.blocks import AllBlocks
    from benchmarks.rivals.bm25 import BM25
    from benchmarks.rivals.dense import Dense, Fused, Ranker
    from benchmarks.rivals.prompt import Ike, Oracle, PromptRag

    def ranker() -> Ranker:
        if entry.ranking == "bm25":
            return BM25()
        dense = Dense(models.encoder)
        return dense if entry.ranking == "dense" else Fused(BM25(), dense)

    if entry.kind == "rag":
        return PromptRag(models, ranker(), entry.facts or 1)
    if entry.kind == "oracle":
        return Oracle(models)
    if entry.kind == "ike":
        return Ike(models, ranker())
    return AllBlocks(models, ranker(), entry.facts, "kblam" if entry.kind == "kblam" else "reuse")


def _taught(entry: Entry, models: Models) -> Rival:
    from benchmarks.rivals.grace import Grace
    from benchmarks.rivals.lora import Lora
    from benchmarks.rivals.rome import Rome
    from benchmarks.rivals.teaching import Learner, Taught, TeachableModel

    model = TeachableModel.copy_of(models.language)
    learner: Learner
    if entry.kind == "lora":
        learner = Lora(model)
    elif entry.kind == "rome":
        learner = Rome(model)
    else:
        learner = Grace(model)
    return Taught(models, learner)
