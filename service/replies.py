"""What goes out: the shape of every answer, for the OpenAPI document.

The models describe; they do not run: ``service.records`` writes what they describe.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from dysk.answer import AnswerStatus, Mode
from graph.fact import Cardinality, Status
from graph.store import ChangeKind
from service.jobs import JobStatus
from service.keys import Scope


class FactOut(BaseModel):
    """One version of a fact."""

    id: str
    subject: str
    relation: str
    object: str
    valid_from: str | None
    valid_to: str | None
    recorded_at: str
    revision: int
    status: Status
    source: str | None
    external_id: str | None
    supersedes: list[str]
    superseded_by: str | None
    attributes: dict[str, Any]


class ItemOut(BaseModel):
    """What became of one fact of a batch; ``superseded`` are ids of facts that it closed."""

    outcome: Literal["created", "updated", "unchanged", "erased"]
    fact: FactOut | None
    superseded: list[str]


class ReceiptOut(BaseModel):
    """What a write did. ``replayed``: an idempotency key returned an earlier receipt."""

    revision: int
    items: list[ItemOut]
    changes: list[ChangeOut]
    dry_run: bool
    replayed: bool


class FactPage(BaseModel):
    """Facts as of one revision; every page of a listing is of the same one."""

    revision: int
    facts: list[FactOut]
    next_cursor: str | None = Field(description="Pass as `cursor`; null on the last page.")


class History(BaseModel):
    """Every version of a fact, oldest first."""

    fact_id: str
    versions: list[FactOut]


class RelationOut(BaseModel):
    """A relation's settings."""

    name: str
    cardinality: Cardinality
    template: str | None
    inverse: str | None


class RelationReceipt(BaseModel):
    """Settings of a relation, in force from this revision on; no changes when they were already."""

    revision: int
    relation: RelationOut
    changes: list[ChangeOut]


class ChangeOut(BaseModel):
    """One effect of a commit. Members that do not belong to its kind are null or empty."""

    kind: ChangeKind
    fact_id: str | None
    before: FactOut | None
    after: FactOut | None
    relation: RelationOut | None
    entity: str | None
    aliases: list[str]
    target: str | None


class CommitOut(BaseModel):
    """A revision, when it was recorded, and what it changed."""

    revision: int
    recorded_at: str
    changes: list[ChangeOut]


class ChangesPage(BaseModel):
    """Commits in order, without gaps. ``next_since`` asks for what follows; ``revision`` is the
    latest.
    """

    commits: list[CommitOut]
    next_since: int
    revision: int


class EvidenceOut(BaseModel):
    """A fact that answers, and how much it was attended to."""

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


class SearchResults(BaseModel):
    """Facts found, best first."""

    results: list[EvidenceOut]


class UsageOut(BaseModel):
    """Tokens of the prompt, spoken, and read as knowledge."""

    prompt_tokens: int
    completion_tokens: int
    knowledge_tokens: int


class AnswerOut(BaseModel):
    """An answer, its evidence and its cost. Not knowing has the status ``abstained``."""

    answer: str
    status: AnswerStatus
    mode: Mode
    as_of: str
    revision: int
    time_interpretation: str | None
    evidence: list[EvidenceOut]
    grounded: bool | None
    conflicts: list[str]
    usage: UsageOut
    timings_ms: dict[str, float]


class RelationList(BaseModel):
    """Relations declared or used, by name."""

    revision: int
    relations: list[RelationOut]


class EntityPage(BaseModel):
    """Names of entities as of one revision."""

    revision: int
    entities: list[str]
    next_cursor: str | None = Field(description="Pass as `cursor`; null on the last page.")


class EntityOut(BaseModel):
    """An entity's canonical name, and its other names in the order they were given."""

    revision: int
    entity: str
    aliases: list[str]


class Timeline(BaseModel):
    """Facts about an entity by their start."""

    revision: int
    entity: str
    facts: list[FactOut]


class NeighborOut(BaseModel):
    """An entity, and the fact that leads to it."""

    entity: str
    fact: FactOut


class Neighbors(BaseModel):
    """The other ends of an entity's facts."""

    revision: int
    entity: str
    neighbors: list[NeighborOut]


class ErasureOut(BaseModel):
    """What was erased. `remaining` still matches; `bytes_remain`: another program keeps old bytes
    of the file for now.
    """

    revision: int
    erased: list[str]
    remaining: list[str]
    bytes_remain: bool


class CompactionOut(BaseModel):
    """What was forgotten; `horizon` is the earliest revision that is left."""

    horizon: int
    versions: int
    commits: int


class JobOut(BaseModel):
    """An import and how it stands. `added` and what follows are known when it is done."""

    id: str
    kind: Literal["import"]
    graph: str
    status: JobStatus
    created_at: str
    finished_at: str | None
    bytes: int
    bytes_read: int
    lines: int
    added: int
    unchanged: int
    skipped: int
    bad_total: int
    revision: int | None
    error: str | None
    attempt: int


class JobList(BaseModel):
    """Jobs, newest first."""

    jobs: list[JobOut]


class KeyOut(BaseModel):
    """A key without its secret; `graphs` null is every graph."""

    id: str
    name: str
    scope: Scope
    graphs: list[str] | None
    created_at: str
    revoked_at: str | None


class NewKeyOut(KeyOut):
    """A new key. `key` is what to send, and is shown here only."""

    key: str


class KeyList(BaseModel):
    """Keys, oldest first."""

    keys: list[KeyOut]


class GraphOut(BaseModel):
    """A graph: its latest revision, and how many facts it holds (retracted ones not counted)."""

    name: str
    revision: int
    facts: int


class GraphList(BaseModel):
    """The names of all graphs."""

    graphs: list[str]


class Health(BaseModel):
    """The process is alive."""

    status: Literal["ok"]


class Ready(BaseModel):
    """Every part is ready to answer."""

    status: Literal["ready"]
    parts: dict[str, str]


class ModelOut(BaseModel):
    """A model as OpenAI's clients list it."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(BaseModel):
    """The models that may be asked."""

    object: Literal["list"]
    data: list[ModelOut]


class CompletionOut(BaseModel):
    """A chat completion, as OpenAI documents it. `dysk` has the evidence and the like."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[dict[str, Any]]
    usage: dict[str, int]
    dysk: dict[str, Any]


class OpenAIErrorBody(BaseModel):
    """What was refused. `code` is that of the other routes' problems."""

    message: str
    type: str
    param: str | None
    code: str


class OpenAIErrorOut(BaseModel):
    """A refusal in OpenAI's envelope."""

    error: OpenAIErrorBody


class ErrorPlace(BaseModel):
    """Where a problem lies: a pointer into the body, a query or path parameter, or a header."""

    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None
    detail: str


class ProblemOut(BaseModel):
    """An RFC 9457 problem. ``code`` is stable; ``detail`` is for people."""

    type: str = Field(examples=["urn:dysk:problem:invalid_time"])
    title: str
    status: int
    detail: str
    code: str = Field(examples=["invalid_time"])
    request_id: str
    errors: list[ErrorPlace]
