"""The systems under test: the answering modes, over one graph, one retriever and one model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

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
    """A way to ask. In mode ``rag`` the ``top_k`` best facts are written into the prompt."""

    name: str
    mode: Mode
    candidates: int = CANDIDATES
    top_k: int = TOP_K

    def ask(self, graph: Asker, question: Question, revision: int) -> Answer:
        """Ask at the question's own time, at this revision of the graph or a later one."""
        return graph.ask(
            question.question,
            as_of=question.as_of,
            min_revision=revision,
            mode=self.mode,
            candidates=self.candidates,
            top_k=self.top_k,
        )


SYSTEMS = {
    system.name: system
    for system in (
        System("closed_book", "closed_book"),
        System("rag1", "rag", top_k=1),
        System("rag8", "rag", top_k=8),
        System("attention", "attention"),
        System("hybrid", "hybrid"),
    )
}
_GROUPS = {"rag": ("rag1", "rag8")}
DEFAULT_SYSTEMS = "closed_book,rag,attention,hybrid"


def choose_systems(names: str) -> list[System]:
    """Systems by comma-separated names, each once; ``rag`` is ``rag1`` and ``rag8``.

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
