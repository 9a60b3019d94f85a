"""The systems under test: dysk's answering modes and their rivals, over one graph and one model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from benchmarks.rivals.entries import ENTRIES, Entry
from benchmarks.schema import BenchmarkError, Question
from dysk.answer import Answer, Grounding, Mode

CANDIDATES = 32
TOP_K = 4
"""What ``Dysk.ask`` does when nobody says otherwise; a test compares them."""


class Asker(Protocol):
    """The part of ``dysk.Dysk`` that a benchmark needs."""

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
        """Answer a question from the graph."""
        ...


@dataclass(frozen=True, slots=True)
class System:
    """A way to ask dysk. In mode ``rag`` the ``top_k`` best facts are written into the prompt;
    ``repairs`` then gives it the help with misspelt names that attention always gets.
    """

    name: str
    mode: Mode
    candidates: int = CANDIDATES
    top_k: int = TOP_K
    grounding: Grounding = "check"
    repairs: bool = False

    def ask(self, graph: Asker, question: Question, revision: int) -> Answer:
        """Ask at the question's own time, at this revision of the graph or a later one."""
        return self._asked(graph).ask(
            question.question,
            as_of=question.as_of,
            min_revision=revision,
            mode=self.mode,
            candidates=self.candidates,
            top_k=self.top_k,
            grounding=self.grounding,
        )

    def _asked(self, graph: Asker) -> Asker:
        if not self.repairs:
            return graph
        from benchmarks.rivals.ring import Ring

        if not isinstance(graph, Ring):
            raise TypeError("a RAG that repairs needs a Ring around the graph")
        return graph.repairing


Contestant = System | Entry
"""Travels between processes; ``mode`` is ``closed_book`` where no fact is read."""

_ALL: tuple[Contestant, ...] = (
    System("closed_book", "closed_book"),
    System("rag1", "rag", top_k=1),
    System("rag8", "rag", top_k=8),
    System("attention", "attention"),
    System("hybrid", "hybrid"),
    System("rag32", "rag", top_k=32),
    System("rag1_repaired", "rag", top_k=1, repairs=True),
    System("rag8_repaired", "rag", top_k=8, repairs=True),
    System("rag1_strict", "rag", top_k=1, grounding="strict", repairs=True),
    System("attention_strict", "attention", grounding="strict"),
    *ENTRIES,
)
SYSTEMS = {system.name: system for system in _ALL}
_GROUPS = {
    "rag": ("rag1", "rag8"),
    "rivals": tuple(entry.name for entry in ENTRIES if not entry.is_taught),
    "taught": tuple(entry.name for entry in ENTRIES if entry.is_taught),
}
DEFAULT_SYSTEMS = "closed_book,rag,attention,hybrid"


def choose_systems(names: str) -> list[Contestant]:
    """Systems by comma-separated names, each once; ``rag`` is ``rag1`` and ``rag8``, ``rivals``
    all that read and are not dysk's own, ``taught`` those that learn facts.

    Raises BenchmarkError for an unknown name or none.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    expanded = dict.fromkeys(part for name in wanted for part in _GROUPS.get(name, (name,)))
    unknown = [name for name in expanded if name not in SYSTEMS]
    if unknown or not expanded:
        problem = f"there is no system {unknown[0]!r}" if unknown else "no system is named"
        raise BenchmarkError(f"{problem}; choose among {_listed([*SYSTEMS, *_GROUPS])}")
    return [SYSTEMS[name] for name in expanded]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
