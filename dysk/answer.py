"""What an ask returns: the words, the facts they rest on, and how sure one may be of either."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Mode = Literal["closed_book", "rag", "attention", "hybrid"]
Grounding = Literal["off", "check", "strict"]
AnswerStatus = Literal["answered", "abstained", "conflict"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact that the model read, and how much.

    ``attention`` is the share of the retrieval heads' attention that the fact received while the
    answer was formed, in [0, 1], and sums to at most 1 over an answer; None where nothing was read
    by attention. ``coarse_score`` ranks the fact against the question before the model saw it.
    """

    fact_id: str
    text: str
    subject: str
    relation: str
    object: str
    valid_from: str | None
    valid_to: str | None
    attention: float | None
    coarse_score: float
    source: str | None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of the prompt (facts read by attention are not in it), spoken, and of facts read."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    knowledge_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, its evidence and its cost.

    ``status`` is ``abstained`` when the graph holds nothing that answers (``text`` says so in
    words), ``conflict`` when valid facts disagree (``conflicts`` are their ids). ``grounded``: the
    text speaks the object of a fact in evidence; None when that was not checked. ``revision`` is
    the one state of the graph that the whole answer was read from, ``as_of`` the time asked about.
    ``timings_ms`` has the stages time, coarse, encode, select, prefill, decode, total; time to
    first token is all but decode.
    """

    text: str
    status: AnswerStatus
    mode: Mode
    as_of: str
    revision: int
    time_interpretation: str | None = None
    evidence: tuple[Evidence, ...] = ()
    grounded: bool | None = None
    conflicts: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    timings_ms: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The JSON of ``POST ask``: ``text`` is called ``answer`` there."""
        record = asdict(self)
        return {"answer": record.pop("text"), **record}
