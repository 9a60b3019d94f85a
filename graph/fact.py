"""The nouns of the store: a fact, a relation's settings, and the commands that change them.

All are immutable. A *fact* keeps one id for life; every change makes a new *version* of it, and the
versions before stay readable at the revisions where they were current (transaction time).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from graph.interval import MAX_SECONDS, MIN_SECONDS, Interval, Period, parse_date

Status = Literal["active", "ended", "superseded", "retracted"]
"""active: believed · ended: an `end` closed it · superseded: a newer fact of a `one` relation
closed it · retracted: never true. A retracted version holds nowhere; the others hold in their
interval.
"""
Cardinality = Literal["one", "many"]
OnConflict = Literal["supersede", "coexist", "reject"]

Attributes = Mapping[str, object]
"""Whatever else a source says of a fact: a JSON object. Part of no rule."""

_EMPTY: Attributes = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Statement:
    """What was said of a fact, kept apart from what supersession made of it, so that it can be
    undone.

    ``valid_to`` is the end as stated; ``ended`` tells that an End stated it. ``exclusive`` facts
    let no fact with another object, recorded before them, hold at the same time: those of a ``one``
    relation and those written with ``on_conflict="supersede"``.
    """

    valid_to: str | None = None
    ended: bool = False
    exclusive: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """One version of a fact, as believed from ``revision`` on.

    ``recorded_at`` and ``revision`` are the transaction time of this version; ``valid_from``
    (inclusive) and ``valid_to`` (exclusive) its valid time, kept as written. ``superseded_by`` is
    the fact that closed it: its ``valid_to`` is then that fact's ``valid_from``. ``supersedes`` are
    ids of the facts that this one closed when it was stated. ``statement`` is what was said before
    any closing.
    """

    id: str
    subject: str
    relation: str
    object: str
    valid_from: str | None = None
    valid_to: str | None = None
    source: str | None = None
    external_id: str | None = None
    attributes: Attributes = field(default_factory=lambda: _EMPTY)
    status: Status = "active"
    supersedes: tuple[str, ...] = ()
    superseded_by: str | None = None
    recorded_at: str = ""
    revision: int = 0
    statement: Statement = Statement()

    @property
    def interval(self) -> Interval:
        """Valid time in seconds, half-open; empty (``start == end``) when the fact holds nowhere.

        That is so when it is retracted, or when the fact that superseded it starts no later than it
        does.
        """
        return _interval(self.valid_from, self.valid_to, self.status)

    def holds_in(self, period: Period | None) -> bool:
        """True when the fact holds at some instant of ``period``; None stands for all time."""
        return self.interval.overlaps(Interval() if period is None else period)

    def stamped(self, revision: int, recorded_at: str) -> Fact:
        """This version, as recorded by a commit."""
        # Spelt out, since `replace` takes twice as long and every version that is written needs it.
        return Fact(
            self.id,
            self.subject,
            self.relation,
            self.object,
            self.valid_from,
            self.valid_to,
            self.source,
            self.external_id,
            self.attributes,
            self.status,
            self.supersedes,
            self.superseded_by,
            recorded_at,
            revision,
            self.statement,
        )


@lru_cache(maxsize=1 << 16)
def _interval(valid_from: str | None, valid_to: str | None, status: Status) -> Interval:
    # Remembered, since planning a write asks for the interval of each fact several times.
    start = MIN_SECONDS if valid_from is None else parse_date(valid_from).start
    if status == "retracted":
        return Interval(start, start)
    if valid_to is not None:
        return Interval(start, max(start, parse_date(valid_to).start))
    # Closed by a fact without a start: nothing remains of it.
    return Interval(start, start if status == "superseded" else MAX_SECONDS)


@dataclass(frozen=True, slots=True)
class Relation:
    """Settings of a relation. Undeclared relations are ``many``: supersession is declared, never
    guessed.

    ``template`` words a fact as a sentence, with ``{subject}`` and ``{object}``. ``inverse`` is the
    name of the same relation seen from the object: "employs" for "works for". Only this relation is
    stored; a read or a write that names the inverse is answered, or stored, turned round.
    """

    name: str
    cardinality: Cardinality = "many"
    template: str | None = None
    inverse: str | None = None


@dataclass(frozen=True, slots=True)
class Add:
    """State a fact. ``id`` None lets the store choose (``f1``, ``f2``, …).

    ``on_conflict`` None follows the relation: ``one`` supersedes, ``many`` coexists. ``aliases``
    are other names of the subject, ``object_aliases`` of the object. ``statement`` restores an
    exported fact: its ``ended`` and ``exclusive`` are kept instead of following ``on_conflict``,
    and no start is inferred.
    """

    subject: str
    relation: str
    object: str
    valid_from: str | None = None
    valid_to: str | None = None
    source: str | None = None
    external_id: str | None = None
    attributes: Attributes = field(default_factory=lambda: _EMPTY)
    id: str | None = None
    on_conflict: OnConflict | None = None
    aliases: tuple[str, ...] = ()
    object_aliases: tuple[str, ...] = ()
    statement: Statement | None = None


@dataclass(frozen=True, slots=True)
class End:
    """The fact stopped being true at ``at`` (exclusive)."""

    fact_id: str
    at: str
    expect_revision: int | None = None


@dataclass(frozen=True, slots=True)
class Correct:
    """The fact was recorded wrongly: ``changes`` maps field names to right values (None clears a
    date).

    Fields: subject, relation, object, valid_from, valid_to, source, external_id, attributes. They
    replace those of the stored fact; if its relation is an inverse then, it is stored turned round.
    """

    fact_id: str
    changes: Mapping[str, object]
    expect_revision: int | None = None


@dataclass(frozen=True, slots=True)
class Retract:
    """The fact was never true. Its earlier versions stay visible under ``known_at``."""

    fact_id: str
    expect_revision: int | None = None


@dataclass(frozen=True, slots=True)
class Erase:
    """Remove every byte of the fact, all versions and feed entries included; only its id
    remains.
    """

    fact_id: str


@dataclass(frozen=True, slots=True)
class SetRelation:
    """Declare or change a relation's settings. Applies to writes after it; rewrites no fact."""

    relation: Relation


@dataclass(frozen=True, slots=True)
class SetAliases:
    """Add other names to an entity."""

    entity: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MergeEntities:
    """``source`` is the same thing as ``target``: one entity from this revision on.

    Its facts get a version under ``target``, its names become aliases of ``target``, and what is
    written under ``source`` later is stored under ``target``. Slots that come together settle.
    Earlier revisions stay as they were. A ``target`` without facts makes it a change of name.
    """

    source: str
    target: str


Command = Add | End | Correct | Retract | Erase | SetRelation | SetAliases | MergeEntities
