"""Contract: how long history lasts, and writes that depend on what was read."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from graph import (
    Add,
    Correct,
    Erase,
    FactStore,
    HistoryCompacted,
    MergeEntities,
    NotFound,
    PreconditionFailed,
    Relation,
    Retract,
    RevisionUnknown,
    SetRelation,
)
from tests.contracts.clock import Clock
from tests.contracts.store_fixtures import MakeStore, StoreFixtures, current, king, reigns, when


class HistoryContract(StoreFixtures):
    # Compaction.

    @pytest.fixture
    def long(self, kings: FactStore, clock: Clock) -> FactStore:
        """Six revisions, an hour apart: declared, Rudlof, corrected, Michael, retracted, Flavia."""
        for command in (
            king("Rudlof", "1890", id="r"),
            Correct("r", {"object": "Rudolf"}),
            king("Michael", "1893", id="m"),
            Retract("m"),
            king("Flavia", "1896", id="f"),
        ):
            clock.move(hours=1)
            kings.apply([command])
        return kings

    def test_what_the_horizon_and_later_revisions_need_stays(self, long: FactStore) -> None:
        before = {
            revision: (list(long.snapshot(revision=revision).facts()), long.changes(revision))
            for revision in range(4, 7)
        }
        compaction = long.compact(4)
        # Rudlof, and Rudolf before Michael closed his reign.
        assert (compaction.horizon, compaction.versions, compaction.commits) == (4, 2, 4)
        assert long.horizon == 4
        for revision, (facts, feed) in before.items():
            assert list(long.snapshot(revision=revision).facts()) == facts
            assert long.changes(revision) == feed

    def test_what_lies_before_the_horizon_is_gone_and_says_so(self, long: FactStore) -> None:
        held = long.snapshot(revision=3)
        long.compact(4)
        for call in (
            lambda: long.snapshot(revision=3),
            lambda: long.snapshot(revision=0),
            lambda: long.snapshot(known_at=when("2026-11-24T14:30Z")),
            lambda: long.snapshot(known_at=when("1999")),
            lambda: long.changes(3),
            lambda: long.changes(),
            lambda: held.get("r"),
            lambda: held.count(),
            lambda: held.history("r"),
            lambda: held.slots([("Ruritania", "king")]),
            lambda: list(held.facts()),
            lambda: held.resolve("Rudlof"),
        ):
            with pytest.raises(HistoryCompacted, match="4"):
                call()
        assert long.snapshot(known_at=when("2026-11-24T15:30Z")).revision == 4
        assert [version.revision for version in long.snapshot().history("r")] == [4, 5, 6]

    def test_a_name_that_only_the_past_bore_is_gone(self, long: FactStore) -> None:
        assert long.snapshot().resolve("Rudlof") == ["Rudlof"]
        long.compact(4)
        assert long.snapshot().resolve("Rudlof") == []
        assert "Rudlof" not in repr(long.changes(4))

    def test_a_horizon_never_moves_back_nor_ahead_of_the_latest(self, long: FactStore) -> None:
        long.compact(4)
        for before in (0, 3, 4):
            again = long.compact(before)
            assert (again.horizon, again.versions, again.commits) == (4, 0, 0)
        for before in (7, -1):
            with pytest.raises(RevisionUnknown):
                long.compact(before)
        assert long.horizon == 4

    def test_everything_may_be_compacted_and_the_store_goes_on(
        self, long: FactStore, clock: Clock
    ) -> None:
        reign = reigns(long)
        assert long.compact(6).commits == 6
        assert (long.revision, long.changes(6), reigns(long)) == (6, [], reign)
        assert long.snapshot().relation("king").cardinality == "one"
        clock.move(hours=-9)
        receipt = long.apply([king("Michael", "1899")])
        assert (receipt.revision, long.changes(6)[0].recorded_at) == (7, "2026-11-24T17:00:00Z")
        assert current(long, "f").valid_to == "1899"
        assert long.compact(7).commits == 1

    def test_settings_and_merges_that_are_in_force_outlive_compaction(
        self, store: FactStore
    ) -> None:
        store.apply([SetRelation(Relation("king", "many", inverse="reigns over"))])
        store.apply([SetRelation(Relation("king", "one", inverse="reigns over"))])
        store.apply([Add("Rudolf", "reigns over", "Ruritania"), MergeEntities("Rudolf", "R.")])
        store.apply([king("Michael", "1899")])
        store.compact(4)
        snapshot = store.snapshot()
        assert snapshot.relation("king") == Relation("king", "one", None, "reigns over")
        (turned,) = snapshot.facts(relation="reigns over", subject="Rudolf")
        assert (turned.subject, turned.object) == ("R.", "Ruritania")
        assert store.apply([king("Rudolf", "1850")]).items[0].outcome == "created"
        assert next(store.snapshot().facts(subject="Ruritania", limit=1)).object == "R."

    def test_an_erasure_after_compaction_leaves_nothing_either(self, long: FactStore) -> None:
        long.compact(5)
        long.apply([Erase("r")])
        assert long.snapshot().resolve("Rudolf") == []
        assert "Rudolf" not in repr(long.changes(5))
        with pytest.raises(NotFound):
            long.snapshot(revision=5).get("r")

    # Idempotency keys.

    def test_a_key_is_remembered_for_seven_days(self, store: FactStore, clock: Clock) -> None:
        batch = [Add("Rudolf", "visited", "Zenda", id="v")]
        store.apply(batch, idempotency_key="k")
        clock.move(days=6, hours=23)
        assert store.apply(batch, idempotency_key="k").replayed
        clock.move(hours=1)
        other = [Add("Rudolf", "visited", "Strelsau")]
        assert not store.apply(other, idempotency_key="k").replayed
        assert store.apply(other, idempotency_key="k").replayed

    def test_a_receipt_outlives_the_history_it_tells_of(self, store: FactStore) -> None:
        batch = [Add("Rudolf", "visited", "Zenda", id="v")]
        first = store.apply(batch, idempotency_key="k")
        store.apply([Correct("v", {"object": "Strelsau"})])
        store.compact(2)
        again = store.apply(batch, idempotency_key="k")
        assert (again.replayed, again.revision, store.revision) == (True, 1, 2)
        assert again.items[0].outcome == first.items[0].outcome
        assert (again.items[0].fact, again.changes) == (None, ())

    # Expectations.

    def test_a_batch_is_refused_when_the_graph_moved_on(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890")], expect_revision=0)
        for expected in (0, 2):
            with pytest.raises(PreconditionFailed, match=f"at revision 1, not {expected}") as late:
                store.apply([king("Michael", "1893")], expect_revision=expected)
            assert late.value.pointer == ""
            with pytest.raises(PreconditionFailed):
                store.apply([king("Michael")], expect_revision=expected, dry_run=True)
        assert store.revision == 1
        assert store.apply([king("Michael", "1893")], expect_revision=1).revision == 2

    def test_a_retry_under_its_key_is_answered_though_it_moved_the_graph_itself(
        self, store: FactStore
    ) -> None:
        batch = [king("Rudolf", "1890")]
        store.apply(batch, idempotency_key="k", expect_revision=0)
        assert store.apply(batch, idempotency_key="k", expect_revision=0).replayed

    def test_of_racing_writers_with_one_expectation_one_wins(
        self, make_store: MakeStore, clock: Clock
    ) -> None:
        with make_store(clock) as store:
            won = []

            def write(name: str) -> None:
                with suppress(PreconditionFailed):
                    won.append(store.apply([king(name, "1890")], expect_revision=0))

            threads = [threading.Thread(target=write, args=(f"king {n}",)) for n in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert (len(won), store.revision) == (1, 1)
