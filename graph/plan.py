"""From a batch of commands to the changes it makes: pure, shared by every store.

A store shows its latest revision as a State, gets a Plan back and has only to persist it. Later
commands of a batch see the effects of earlier ones. The batch is one commit, so a fact that several
commands touch has one change, from what it was before the batch to what it is after.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never

from graph.conflict import as_stated, inferred_start, rivals
from graph.errors import (
    Conflict,
    GraphError,
    InvalidFact,
    InvalidTime,
    NotFound,
    PreconditionFailed,
)
from graph.fact import (
    Add,
    Cardinality,
    Command,
    Correct,
    End,
    Erase,
    Fact,
    MergeEntities,
    Relation,
    Retract,
    SetAliases,
    SetRelation,
    Statement,
)
from graph.identity import INFERRED, claim, repeats, states_the_same, turned
from graph.interval import format_utc, parse_date
from graph.naming import as_stored, check_inverse, under_canonical_names
from graph.overlay import Overlay
from graph.settling import begun, beside, settle_slot
from graph.state import Entry, Slot, State
from graph.store import Change, ChangeKind, ItemResult, Outcome, Receipt
from graph.validate import check_interval


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch will do: the commit to make, if ``changes`` has any, and what to tell."""

    revision: int
    recorded_at: str
    changes: tuple[Change, ...]
    items: tuple[ItemResult, ...]

    def receipt(self, *, dry_run: bool = False) -> Receipt:
        """The receipt of the commit, or of the dry run, at whose end nothing has changed."""
        committed = bool(self.changes) and not dry_run
        revision = self.revision if committed else self.revision - 1
        return Receipt(revision, self.items, self.changes, dry_run=dry_run)


def make_plan(
    commands: Sequence[Command],
    state: State,
    now: datetime,
    expect_revision: int | None = None,
) -> Plan:
    """Plan a checked batch as the revision after the state's.

    Raises a GraphError whose pointer names the command at fault; PreconditionFailed without one
    where ``expect_revision`` is not the state's.
    """
    if expect_revision not in (None, state.revision):
        raise PreconditionFailed(
            f"the graph is at revision {state.revision}, not {expect_revision}; "
            "read what changed and decide anew"
        )
    planner = _Planner(state, now)
    for index, command in enumerate(commands):
        try:
            planner.run(command)
        except GraphError as error:
            error.pointer = f"/{index}{error.pointer}"
            raise
    return planner.plan()


class _Planner:
    """Runs commands over an overlay, and notes what became of each."""

    def __init__(self, state: State, now: datetime) -> None:
        self._view = Overlay(state)
        self._now = now
        self._revision = state.revision + 1
        # Clocks jump back; recorded time must not.
        self._recorded_at = max(state.recorded_at, format_utc(now))
        self._items: list[tuple[Outcome, str | None, tuple[str, ...]]] = []

    def run(self, command: Command) -> None:
        match command:
            case Add():
                self._add(command)
            case End():
                self._end(command)
            case Correct():
                self._correct(command)
            case Retract():
                self._retract(command)
            case Erase():
                self._erase(command)
            case SetRelation(relation):
                self._declare(relation)
            case SetAliases(entity, aliases):
                added = self._view.name(self._view.canonical(entity), aliases)
                self._tell("updated" if added else "unchanged")
            case MergeEntities():
                self._merge(command)
            case _:
                assert_never(command)

    def plan(self) -> Plan:
        changes = self._view.changes(self._revision, self._recorded_at)
        after = {change.fact_id: change.after for change in changes}

        def final(fact_id: str | None) -> Fact | None:
            if fact_id is None or fact_id in after:
                return after.get(fact_id)
            return self._view.before(fact_id)

        items = tuple(
            ItemResult(outcome, final(fact_id), closed) for outcome, fact_id, closed in self._items
        )
        return Plan(self._revision, self._recorded_at, changes, items)

    # One method a command.

    def _add(self, said: Add) -> None:
        add = as_stored(self._view, said)
        self._view.name(add.subject, add.aliases)
        self._view.name(add.object, add.object_aliases)
        known = self._recorded_already(add)
        if known is not None:
            self._tell("unchanged", known.id)
            return
        fact = self._new_fact(add)
        slot = _slot(fact)
        if fact.statement.exclusive and fact.valid_from is None and add.statement is None:
            start = inferred_start(fact, begun(self._view, slot, self._now), self._now)
            if start is not None:
                attributes = {**fact.attributes, INFERRED: True}
                fact = replace(fact, valid_from=start, attributes=attributes)
        if add.on_conflict == "reject":
            self._refuse_rivals(fact)
        self._view.put(Entry(self._view.recorded + 1, fact), "add")
        # Only an exclusive fact can close what was recorded before it, or be closed by it.
        closed = (
            settle_slot(self._view, slot, {fact.interval.start}, fact.id)
            if fact.statement.exclusive
            else ()
        )
        self._tell("created", fact.id, closed)

    def _end(self, end: End) -> None:
        entry = self._current(end.fact_id, end.expect_revision)
        fact = _unless_retracted(entry.fact, "ended")
        if parse_date(end.at).start <= fact.interval.start:
            raise InvalidTime(
                f"the fact holds from {fact.valid_from}, so it cannot end at {end.at}; "
                "if it was never true, retract it",
                "/at",
            )
        statement = replace(fact.statement, valid_to=end.at, ended=True)
        if statement == fact.statement:
            self._tell("unchanged", fact.id)
        else:
            self._restate(entry, replace(fact, statement=statement), "end")

    def _correct(self, correct: Correct) -> None:
        entry = self._current(correct.fact_id, correct.expect_revision)
        fact = _unless_retracted(entry.fact, "corrected")
        after = self._corrected(fact, dict(correct.changes))
        if after == fact:
            self._tell("unchanged", fact.id)
        elif claim(after) == claim(fact):
            self._view.put(Entry(entry.position, after), "correct")
            self._tell("updated", fact.id)
        else:
            self._restate(entry, after, "correct")

    def _retract(self, retract: Retract) -> None:
        entry = self._current(retract.fact_id, retract.expect_revision)
        if entry.fact.status == "retracted":
            self._tell("unchanged", entry.fact.id)
        else:
            after = replace(as_stated(entry.fact), status="retracted", supersedes=())
            self._restate(entry, after, "retract")

    def _erase(self, erase: Erase) -> None:
        fact = self._current(erase.fact_id, None).fact
        contested = self._view.contested(_slot(fact))
        self._view.erase(fact.id)
        if contested:
            settle_slot(self._view, _slot(fact), {fact.interval.start})
        self._tell("erased", fact.id)

    def _declare(self, relation: Relation) -> None:
        known = self._view.relation(relation.name)
        if known == relation:
            self._tell("unchanged")
            return
        check_inverse(self._view, relation)
        self._view.declare(relation)
        self._tell("created" if known is None else "updated")

    def _merge(self, merge: MergeEntities) -> None:
        source, target = self._view.canonical(merge.source), self._view.canonical(merge.target)
        if source == target:
            self._tell("unchanged")
            return
        entries = self._view.naming(source)
        if not entries and not self._view.aliases(source):
            raise NotFound(f"there is no entity {source!r} to merge")
        self._view.merge(source, target)
        written: defaultdict[Slot, set[int]] = defaultdict(set)
        for entry in entries:
            fact = under_canonical_names(self._view, entry.fact)
            self._view.put(Entry(entry.position, fact), "merge")
            written[_slot(fact)].add(fact.interval.start)
        closed: list[str] = []
        for slot, starts in written.items():
            if self._view.contested(slot):
                closed += settle_slot(self._view, slot, starts)
        self._tell("updated", closed=tuple(closed))

    # What they share.

    def _recorded_already(self, add: Add) -> Fact | None:
        """The fact that an Add states again, if any. Raises InvalidFact when its id is taken."""
        if add.id is None:
            stating = self._view.stating((add.subject, add.relation), add.object)
            return next((fact for fact in stating if repeats(add, fact)), None)
        if not self._view.taken(add.id):
            return None
        entry = self._view.entry(add.id)
        if entry is None:
            raise InvalidFact(f"id {add.id!r} was erased and cannot be used again", "/id")
        # The same line again is no news either when the fact was ended or corrected since.
        first = self._view.base.versions(add.id)[0] if self._view.before(add.id) else entry.fact
        first = under_canonical_names(self._view, first)
        if states_the_same(add, entry.fact) or states_the_same(add, first):
            return entry.fact
        raise InvalidFact(f"id {add.id!r} is taken by another fact; correct that one", "/id")

    def _new_fact(self, add: Add) -> Fact:
        if add.statement is not None:
            statement = replace(add.statement, valid_to=add.valid_to)
        else:
            exclusive = add.on_conflict == "supersede" or (
                add.on_conflict != "coexist" and self._cardinality(add.relation) == "one"
            )
            statement = Statement(add.valid_to, exclusive=exclusive)
        return Fact(
            id=add.id or self._free_id(),
            subject=add.subject,
            relation=add.relation,
            object=add.object,
            valid_from=add.valid_from,
            valid_to=add.valid_to,
            source=add.source,
            external_id=add.external_id,
            attributes=add.attributes,
            status="ended" if statement.ended else "active",
            recorded_at=self._recorded_at,
            revision=self._revision,
            statement=statement,
        )

    def _corrected(self, fact: Fact, changes: dict[str, Any]) -> Fact:
        statement = fact.statement
        if "valid_to" in changes:
            valid_to = changes.pop("valid_to")
            ended = statement.ended and valid_to is not None
            statement = replace(statement, valid_to=valid_to, ended=ended)
        after = replace(fact, **changes, statement=statement)
        relation = self._view.inverse_of(after.relation)
        if relation is not None:
            after = turned(after, relation.name)
        after = under_canonical_names(self._view, after)
        if after.valid_from != fact.valid_from and "attributes" not in changes:
            kept = {name: value for name, value in fact.attributes.items() if name != INFERRED}
            after = replace(after, attributes=kept)
        if claim(after) == claim(fact):
            return after
        try:
            check_interval(after)
        except InvalidTime as error:
            moved = "valid_from" if statement == fact.statement else "valid_to"
            error.pointer = f"/changes/{moved}"
            raise
        exclusive = self._cardinality(after.relation) == "one" or (
            statement.exclusive and after.relation == fact.relation
        )
        return replace(after, statement=replace(statement, exclusive=exclusive))

    def _restate(self, entry: Entry, after: Fact, kind: ChangeKind) -> None:
        """Put a fact that says something else now, and let its slot settle, and the one it left."""
        left, slot = _slot(entry.fact), _slot(after)
        was_contested = self._view.contested(left)
        if after.status != "retracted":
            after = replace(as_stated(after), supersedes=())
        self._view.put(Entry(entry.position, after), kind)
        began, begins = entry.fact.interval.start, after.interval.start
        closed: tuple[str, ...] = ()
        if slot == left and (was_contested or self._view.contested(slot)):
            closed = settle_slot(self._view, slot, {began, begins}, after.id)
        elif slot != left:
            if self._view.contested(slot):
                closed = settle_slot(self._view, slot, {begins}, after.id)
            if was_contested:
                settle_slot(self._view, left, {began})
        self._tell("updated", after.id, closed)

    def _current(self, fact_id: str, expect_revision: int | None) -> Entry:
        entry = self._view.entry(fact_id)
        if entry is None:
            raise NotFound(f"there is no fact {fact_id!r}")
        if expect_revision is not None:
            before = self._view.before(fact_id)
            revision = before.revision if before else None
            if revision != expect_revision:
                raise PreconditionFailed(
                    f"fact {fact_id!r} is at revision {revision}, not {expect_revision}; "
                    "read it again and decide anew"
                )
        return entry

    def _refuse_rivals(self, fact: Fact) -> None:
        found = tuple(other.id for other in rivals(fact, beside(self._view, fact)))
        if found:
            raise Conflict(
                f"{fact.subject!r} has another {fact.relation!r} at that time: fact "
                f"{', '.join(found)}; end it first, or write with supersede or coexist",
                found,
            )

    def _cardinality(self, relation: str) -> Cardinality:
        declared = self._view.relation(relation)
        return "many" if declared is None else declared.cardinality

    def _free_id(self) -> str:
        number = self._view.recorded + 1
        while self._view.taken(f"f{number}"):
            number += 1
        return f"f{number}"

    def _tell(
        self, outcome: Outcome, fact_id: str | None = None, closed: tuple[str, ...] = ()
    ) -> None:
        self._items.append((outcome, fact_id, closed))


def _slot(fact: Fact) -> Slot:
    return (fact.subject, fact.relation)


def _unless_retracted(fact: Fact, done: str) -> Fact:
    if fact.status == "retracted":
        raise InvalidFact(
            f"fact {fact.id!r} is retracted and cannot be {done}; add it again", "/fact_id"
        )
    return fact
