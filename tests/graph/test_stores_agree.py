"""Random histories: each store answers every read as the memory store does, and that one keeps
what docs/temporal-model.md promises.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from graph import (
    Command,
    Fact,
    FactStore,
    GraphError,
    HistoryCompacted,
    MemoryStore,
    Period,
    Receipt,
    Relation,
    SetRelation,
    Snapshot,
    SQLiteStore,
    parse_date,
)
from tests.contracts.clock import Clock
from tests.graph.strategies import IDS, NAMES, RELATIONS, SOURCES, SUBJECTS, batches, dates
from tests.graph.whole_slot import settle_whole

PAIRS = [(subject, relation) for subject in (*SUBJECTS, "Nowhere") for relation in RELATIONS]


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, or the error it raises, in a form that can be compared."""
    try:
        return call()
    except GraphError as error:
        return type(error), str(error), error.pointer


def everything(snapshot: Snapshot, as_of: Period | None) -> dict[str, Any]:
    """The answers to every kind of read."""
    return {
        "facts": list(snapshot.facts(as_of=as_of)),
        "retracted": list(snapshot.facts(status="retracted")),
        "superseded": list(snapshot.facts(status="superseded", as_of=as_of)),
        "named": [list(snapshot.facts(subject=name, as_of=as_of)) for name in NAMES],
        "objects": [list(snapshot.facts(object=name, relation="king")) for name in NAMES],
        "sources": [list(snapshot.facts(source=source, limit=2)) for source in SOURCES],
        "relations of facts": [list(snapshot.facts(relation=name)) for name in RELATIONS],
        "slots": snapshot.slots(PAIRS, as_of),
        "timelines": [snapshot.timeline(name) for name in NAMES],
        "entities": [(snapshot.resolve(name), snapshot.aliases(name)) for name in NAMES],
        "relations": snapshot.relations(),
        "settings": [snapshot.relation(name) for name in RELATIONS],
        "count": snapshot.count(),
        "histories": [outcome(partial(snapshot.history, id)) for id in IDS],
        "current": [outcome(partial(snapshot.get, id)) for id in IDS],
    }


class StoresAgree(RuleBasedStateMachine):
    """For SQLite; a subclass opens, and at last discards, another store."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.clock = Clock()
        self.memory: FactStore = MemoryStore(self.clock)
        self.store = self.open()
        self.moments: list[Period] = []
        self.pinned: list[tuple[Snapshot, list[Fact]]] = []
        self.erased: set[str | None] = set()

    def open(self) -> FactStore:
        return SQLiteStore(self.folder / "facts.db", self.clock)

    def discard(self) -> None:
        # The store makes keys itself and has SQLite check none of them.
        with closing(sqlite3.connect(self.folder / "facts.db")) as connection:
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []

    def teardown(self) -> None:
        self.store.close()
        self.discard()
        shutil.rmtree(self.folder)

    @initialize()
    def declare_the_relation_that_has_one_object(self) -> None:
        self.apply([SetRelation(Relation("king", "one"))])

    @rule(data=st.data(), dry_run=st.sampled_from((False, False, False, True)))
    def write(self, data: st.DataObject, dry_run: bool) -> None:
        self.apply(data.draw(self.batches()), dry_run=dry_run)

    @rule(data=st.data())
    def write_twice_under_one_key(self, data: st.DataObject) -> None:
        batch, key = data.draw(self.batches()), f"key {self.memory.revision}"
        first = self.apply(batch, idempotency_key=key)
        if isinstance(first, Receipt):
            # Another write between the two must not show in the answer.
            self.apply(data.draw(self.batches()))
            self.apply(batch, idempotency_key=key)

    def batches(self) -> st.SearchStrategy[list[Command]]:
        snapshot = self.memory.snapshot()
        return batches([fact.id for fact in snapshot.facts()])

    def apply(self, batch: list[Command], **options: Any) -> Any:
        before = self.memory.revision
        left, right = (
            outcome(partial(store.apply, batch, **options)) for store in (self.memory, self.store)
        )
        assert left == right
        if not isinstance(left, Receipt) or left.dry_run or left.replayed:
            assert self.memory.revision == before
        elif not left.dry_run:
            self.erased |= {change.fact_id for change in left.changes if change.kind == "erase"}
        return left

    @rule(data=st.data())
    def write_only_at_an_expected_revision(self, data: st.DataObject) -> None:
        before, batch = self.memory.revision, data.draw(self.batches())
        expected = data.draw(st.integers(max(0, before - 1), before + 1))
        left = self.apply(batch, expect_revision=expected)
        if expected != before:
            assert not isinstance(left, Receipt)

    @rule(data=st.data())
    def compact(self, data: st.DataObject) -> None:
        before = data.draw(st.integers(0, self.memory.revision + 1))
        left, right = (
            outcome(partial(store.compact, before)) for store in (self.memory, self.store)
        )
        assert left == right
        assert self.memory.horizon == self.store.horizon

    @rule(seconds=st.sampled_from((-100_000, -1, 1, 5, 86_400)))
    def the_clock_moves(self, seconds: int) -> None:
        self.moments.append(parse_date(self.clock.now.strftime("%Y-%m-%dT%H:%M:%SZ")))
        self.clock.move(seconds=seconds)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.pinned.clear()
        self.store = self.open()

    @rule()
    def pin(self) -> None:
        snapshot = self.store.snapshot()
        self.pinned = [*self.pinned[-2:], (snapshot, list(snapshot.facts()))]

    @invariant()
    def a_pinned_snapshot_stays_but_for_what_is_erased(self) -> None:
        for snapshot, facts in self.pinned:
            if snapshot.revision < self.store.horizon:
                with pytest.raises(HistoryCompacted):
                    list(snapshot.facts())
            else:
                left = [fact for fact in facts if fact.id not in self.erased]
                assert list(snapshot.facts()) == left

    @rule(data=st.data(), as_of=st.none() | dates.map(parse_date))
    def read_at_a_revision(self, data: st.DataObject, as_of: Period | None) -> None:
        revision = data.draw(st.integers(self.memory.horizon, self.memory.revision))
        with (
            self.memory.snapshot(revision=revision) as left,
            self.store.snapshot(revision=revision) as right,
        ):
            assert everything(left, as_of) == everything(right, as_of)

    @precondition(lambda self: self.moments)
    @rule(data=st.data())
    def read_what_was_known(self, data: st.DataObject) -> None:
        moment = data.draw(st.sampled_from(self.moments))
        left, right = (
            outcome(partial(store.snapshot, known_at=moment)) for store in (self.memory, self.store)
        )
        if isinstance(left, tuple):
            assert left == right
            return
        assert left.revision == right.revision
        assert list(left.facts()) == list(right.facts())

    @rule(size=st.integers(1, 3))
    def pages_join_to_the_whole(self, size: int) -> None:
        snapshot = self.store.snapshot()
        paged, after = [], None
        while page := list(snapshot.facts(after=after, limit=size)):
            paged += page
            after = page[-1].id
        assert paged == list(snapshot.facts())

    @rule(since=st.integers(0, 12), limit=st.integers(1, 5))
    def feeds_agree(self, since: int, limit: int) -> None:
        left, right = (
            outcome(partial(store.changes, since, limit=limit))
            for store in (self.memory, self.store)
        )
        assert left == right

    @invariant()
    def feeds_are_gapless_and_time_never_runs_back(self) -> None:
        horizon = self.memory.horizon
        commits = self.store.changes(horizon)
        assert commits == self.memory.changes(horizon)
        revisions = list(range(horizon + 1, self.store.revision + 1))
        assert [commit.revision for commit in commits] == revisions
        times = [commit.recorded_at for commit in commits]
        assert times == sorted(times)

    @invariant()
    def exclusive_facts_leave_no_contradiction_before_them(self) -> None:
        facts = list(self.memory.snapshot().facts())
        for earlier, later in combinations(facts, 2):
            same_slot = (earlier.subject, earlier.relation) == (later.subject, later.relation)
            if same_slot and earlier.object != later.object and later.statement.exclusive:
                assert not earlier.interval.overlaps(later.interval)

    @invariant()
    def every_slot_is_settled_as_the_rule_reads(self) -> None:
        snapshot = self.memory.snapshot()
        slots = defaultdict(list)
        for fact in snapshot.facts():
            slots[fact.subject, fact.relation].append(fact)
        for facts in slots.values():
            assert settle_whole(facts) == facts

    @invariant()
    def no_fact_is_stored_under_a_merged_name_or_an_inverse(self) -> None:
        snapshot = self.memory.snapshot()
        inverses = {relation.inverse for relation in snapshot.relations()} - {None}
        for fact in snapshot.facts():
            assert fact.relation not in inverses
            assert fact.subject in snapshot.resolve(fact.subject)
            assert fact.object in snapshot.resolve(fact.object)

    @invariant()
    def an_inverse_shows_the_same_facts_turned_round(self) -> None:
        snapshot = self.memory.snapshot()
        for relation in snapshot.relations():
            if relation.inverse is not None:
                turned = [
                    (fact.id, fact.object, fact.subject)
                    for fact in snapshot.facts(relation=relation.inverse)
                ]
                stored = snapshot.facts(relation=relation.name)
                assert turned == [(fact.id, fact.subject, fact.object) for fact in stored]

    @invariant()
    def closed_facts_name_what_closed_them(self) -> None:
        snapshot = self.memory.snapshot()
        for fact in snapshot.facts():
            if fact.status != "superseded":
                assert fact.superseded_by is None
                assert fact.valid_to == fact.statement.valid_to
                continue
            assert fact.superseded_by is not None
            closer = snapshot.get(fact.superseded_by)
            assert fact.valid_to == closer.valid_from
            assert closer.status != "retracted"

    @invariant()
    def replaying_the_feed_gives_the_current_facts(self) -> None:
        horizon = self.store.horizon
        start = self.store.snapshot(revision=horizon)
        begun = [*start.facts(), *start.facts(status="retracted")]
        current: dict[str | None, Fact] = {fact.id: fact for fact in begun}
        for commit in self.store.changes(horizon):
            for change in commit.changes:
                if change.kind == "erase":
                    current.pop(change.fact_id, None)
                elif change.after is not None:
                    current[change.fact_id] = change.after
        snapshot = self.store.snapshot()
        facts = [*snapshot.facts(), *snapshot.facts(status="retracted")]
        assert current == {fact.id: fact for fact in facts}


StoresAgree.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestStoresAgree = pytest.mark.slow(StoresAgree.TestCase)
