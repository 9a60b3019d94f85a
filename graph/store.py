"""The protocol that every store keeps: apply a batch, pin a snapshot, follow the feed.

One batch is one commit is one revision, all or nothing. Reads go through a Snapshot, which stays at
its revision however long it is held. ``tests/contracts/store.py`` is the suite that each
implementation passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

from graph.fact import Command, Fact, Relation, Status
from graph.interval import Period

ChangeKind = Literal[
    "add", "end", "correct", "supersede", "retract", "erase", "merge", "relation", "alias"
]
Outcome = Literal["created", "updated", "unchanged", "erased"]


@dataclass(frozen=True, slots=True)
class Change:
    """One effect of a commit. ``before`` and ``after`` are the fact's versions around it.

    add: before None. supersede: the closing of a fact by another, or its undoing (``after`` is no
    longer superseded). retract: after has status ``retracted``. erase: both None, only ``fact_id``
    remains; earlier changes of that fact read as erase too. relation: ``relation`` set. alias:
    ``entity`` and the ``aliases`` added. merge: either ``entity`` became ``target``, or a fact's
    new version names the target; the names that the target gained are an alias change of the same
    commit. A commit has one change per fact: when several commands touched it, ``before`` and
    ``after`` span them all and the last command names the kind, but a fact's first recording is
    always an add.
    """

    kind: ChangeKind
    fact_id: str | None = None
    before: Fact | None = None
    after: Fact | None = None
    relation: Relation | None = None
    entity: str | None = None
    aliases: tuple[str, ...] = ()
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """A revision of the graph, when it was recorded (UTC, seconds), and what it changed, in
    order.
    """

    revision: int
    recorded_at: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one command: ``unchanged`` means that the store held it already."""

    outcome: Outcome
    fact: Fact | None = None
    superseded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """``revision`` is the commit's, or the store's current one when nothing changed or on a dry
    run.
    """

    revision: int
    items: tuple[ItemResult, ...]
    changes: tuple[Change, ...] = ()
    dry_run: bool = False
    replayed: bool = False
    """True when an idempotency key returned an earlier receipt."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """What ``compact`` forgot: how many versions of facts and how many commits of the feed.
    ``horizon`` is the earliest revision that is left.
    """

    horizon: int
    versions: int
    commits: int


class Snapshot(Protocol):
    """The graph as believed at one revision. Cheap; safe to use from any thread; close when done.

    ``as_of`` is a Period: a fact holds in it when their intervals share an instant. None means any
    time. Retracted facts hold nowhere and appear only where ``status="retracted"`` asks for them.
    Reads raise HistoryCompacted once the revision has fallen behind the store's horizon.
    """

    @property
    def revision(self) -> int:
        """The revision that this snapshot is pinned to; 0 is the empty graph."""
        ...

    def get(self, fact_id: str) -> Fact:
        """The version current at this revision. Raises NotFound (also for erased facts)."""
        ...

    def facts(
        self,
        *,
        subject: str | None = None,
        relation: str | None = None,
        object: str | None = None,
        source: str | None = None,
        status: Status | None = None,
        as_of: Period | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Fact]:
        """Facts in order of their first recording; ``after`` (a fact id) continues a page. Subject,
        object and relation match exactly, or by an alias for subject and object. Where ``relation``
        is the inverse of a stored one, its facts are given turned round, under their own ids.
        """
        ...

    def slots(
        self, pairs: Iterable[tuple[str, str]], as_of: Period | None = None
    ) -> dict[tuple[str, str], list[Fact]]:
        """For each (subject, relation), its facts that hold in ``as_of``, latest start first (of
        equal starts, the later recorded first); pairs without any are absent. The look-up that
        retrieval lives on: one batched query, exact names (a merged entity's own name has no slot).
        An inverse relation is answered with the stored facts turned round.
        """
        ...

    def history(self, fact_id: str) -> list[Fact]:
        """Every version recorded up to this revision, oldest first. Raises NotFound."""
        ...

    def timeline(self, entity: str) -> list[Fact]:
        """Facts with the entity (by name or alias) as subject or object that hold at some time, by
        start, then relation; as they are stored.
        """
        ...

    def resolve(self, name: str) -> list[str]:
        """Entities (canonical names) that bear this name or alias, exactly; usually none or one.
        The name of a merged entity resolves to its target.
        """
        ...

    def aliases(self, entity: str) -> tuple[str, ...]:
        """Other names of an entity (by its canonical name), in the order they were given."""
        ...

    def relation(self, name: str) -> Relation:
        """Settings; an undeclared relation has the defaults."""
        ...

    def relations(self) -> list[Relation]:
        """Every relation declared or used, by name."""
        ...

    def count(self) -> int:
        """Facts that are not retracted."""
        ...

    def close(self) -> None:
        """Let go of what the snapshot holds."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class FactStore(Protocol):
    """A durable, bitemporal set of facts. Thread-safe; one writer at a time, readers never wait for
    it.
    """

    def apply(
        self,
        commands: Sequence[Command],
        *,
        idempotency_key: str | None = None,
        dry_run: bool = False,
        expect_revision: int | None = None,
    ) -> Receipt:
        """Apply a batch as one commit, durable on return; all or nothing.

        Errors that name a command carry a JSON pointer such as ``/3/valid_to``. ``expect_revision``
        other than the store's revision raises PreconditionFailed, unless ``idempotency_key`` finds
        the receipt of an earlier success. Keys are remembered for graph.idempotency.KEPT_FOR.
        """
        ...

    @property
    def revision(self) -> int:
        """The latest revision; 0 when nothing was ever written."""
        ...

    @property
    def horizon(self) -> int:
        """The earliest revision that can be read; 0 when nothing was ever compacted."""
        ...

    def snapshot(self, *, revision: int | None = None, known_at: Period | None = None) -> Snapshot:
        """Pin the latest revision, the one given, or the last recorded before the end of
        ``known_at``. Raises RevisionUnknown after the latest, HistoryCompacted before the horizon.
        """
        ...

    def changes(self, since: int = 0, *, limit: int = 1000) -> list[Commit]:
        """Commits with ``revision > since``, oldest first: gapless, at most ``limit`` commits, and
        fewer where they are so long that a page of them would fill the memory; none at the end.
        Raises HistoryCompacted when ``since`` lies before the horizon: some are forgotten.
        """
        ...

    def compact(self, before: int) -> Compaction:
        """Forget what only revisions before ``before`` need, and make it the horizon.

        Snapshots of ``before`` and later answer as they did, and so does the feed since it. A
        horizon never moves back: an earlier ``before`` forgets nothing. Makes no revision. Raises
        RevisionUnknown for one that is not reached yet.
        """
        ...

    def wait(self, since: int, timeout: float) -> bool:
        """Block until ``revision > since`` or ``timeout`` seconds passed; True in the first
        case.
        """
        ...

    def close(self) -> None:
        """Release the store; later calls raise StoreUnavailable."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
