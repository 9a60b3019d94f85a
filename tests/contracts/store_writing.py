"""Contract: commits, versions, and what each command does and refuses."""

from __future__ import annotations

import threading

import pytest

from graph import (
    Add,
    Command,
    Correct,
    End,
    Erase,
    FactStore,
    IdempotencyMismatch,
    InvalidFact,
    InvalidTime,
    NotFound,
    PreconditionFailed,
    Relation,
    Retract,
    SetAliases,
    SetRelation,
    StoreUnavailable,
)
from tests.contracts.clock import Clock
from tests.contracts.store_fixtures import MakeStore, StoreFixtures, current, king, reigns


class WritingContract(StoreFixtures):
    # Commits.

    def test_an_empty_store_is_at_revision_zero(self, store: FactStore) -> None:
        assert store.revision == 0
        assert store.changes() == []
        assert store.snapshot().count() == 0
        assert store.apply([]).revision == 0

    def test_a_batch_is_one_revision(self, store: FactStore) -> None:
        receipt = store.apply([king("Rudolf", "1890"), king("Michael", "1893")])
        assert (receipt.revision, store.revision) == (1, 1)
        assert {fact.revision for fact in store.snapshot().facts()} == {1}

    def test_a_batch_with_one_bad_command_writes_nothing(self, store: FactStore) -> None:
        with pytest.raises(NotFound) as missing:
            store.apply([king("Rudolf", "1890"), SetAliases("Rudolf", ("R",)), Retract("f9")])
        assert missing.value.pointer == "/2"
        with pytest.raises(InvalidTime) as inverted:
            store.apply([king("Rudolf", "1890"), king("Michael", "1893", "1892")])
        assert inverted.value.pointer == "/1/valid_to"
        assert store.revision == 0
        assert store.snapshot().resolve("Rudolf") == []

    def test_a_batch_that_changes_nothing_makes_no_revision(self, store: FactStore) -> None:
        batch: list[Command] = [
            king("Rudolf", "1890", id="r"),
            SetRelation(Relation("king", "one")),
            SetAliases("Rudolf", ("R",)),
        ]
        store.apply(batch)
        receipt = store.apply([*batch, Correct("r", {"source": None})])
        assert [item.outcome for item in receipt.items] == ["unchanged"] * 4
        assert (receipt.revision, receipt.changes, store.revision) == (1, (), 1)

    def test_recorded_time_never_runs_back(self, store: FactStore, clock: Clock) -> None:
        store.apply([king("Rudolf", "1890")])
        clock.move(hours=-3)
        store.apply([king("Michael", "1893")])
        clock.move(hours=4)
        store.apply([king("Flavia", "1899")])
        assert [commit.recorded_at for commit in store.changes()] == [
            "2026-11-24T12:00:00Z",
            "2026-11-24T12:00:00Z",
            "2026-11-24T13:00:00Z",
        ]

    def test_later_commands_of_a_batch_see_the_earlier_ones(self, store: FactStore) -> None:
        receipt = store.apply(
            [
                SetRelation(Relation("king", "one")),
                king("Rudolf", "1890", id="r"),
                Correct("r", {"object": "Rudolf V"}),
                king("Michael", "1893"),
                king("Rudolf V", "1890"),
            ]
        )
        outcomes = [item.outcome for item in receipt.items]
        assert outcomes == ["created", "created", "updated", "created", "unchanged"]
        assert reigns(store) == {("Rudolf V", "1890", "1893"), ("Michael", "1893", None)}
        # One commit knows one version of a fact, and one change of it.
        assert len(store.snapshot().history("r")) == 1
        assert [change.kind for change in receipt.changes] == ["relation", "add", "add"]

    def test_a_fact_recorded_and_erased_in_one_batch_leaves_its_id(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890", id="r"), Erase("r")])
        assert [change.kind for change in store.changes()[0].changes] == ["erase"]
        with pytest.raises(InvalidFact, match="erased"):
            store.apply([king("Michael", "1893", id="r")])

    # Ids and repeated statements.

    def test_the_store_numbers_facts_around_chosen_ids(self, store: FactStore) -> None:
        receipt = store.apply([king("A", id="f2"), king("B"), king("C")])
        ids = [item.fact.id for item in receipt.items if item.fact]
        assert len(set(ids)) == 3
        assert ids[0] == "f2"

    def test_the_same_statement_is_stored_once(self, store: FactStore) -> None:
        fact = king("Rudolf", "1890", "1899", source="gazette", external_id="g1")
        first = store.apply([fact]).items[0]
        again = store.apply([fact]).items[0]
        assert (again.outcome, again.fact) == ("unchanged", first.fact)
        for other in (
            king("Rudolf", "1890", "1899", source="gossip", external_id="g1"),
            king("Rudolf", "1890", "1899", source="gazette", external_id="g2"),
            king("Rudolf", "1890-01", "1899", source="gazette", external_id="g1"),
            king("Rudolf", "1890", None, source="gazette", external_id="g1"),
        ):
            assert store.apply([other]).items[0].outcome == "created"

    def test_a_taken_id_takes_only_the_statement_it_was_given_for(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890", id="r")])
        assert store.apply([king("Rudolf", "1890", id="r")]).items[0].outcome == "unchanged"
        with pytest.raises(InvalidFact, match="id 'r' is taken") as taken:
            store.apply([king("Michael", "1890", id="r")])
        assert taken.value.pointer == "/0/id"

    def test_a_line_loaded_again_does_not_undo_an_end(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890", id="r"), End("r", "1899")])
        store.apply([Correct("r", {"source": "gazette"})])
        assert store.apply([king("Rudolf", "1890", "1899", id="r", source="gazette")]).items[
            0
        ].outcome == ("unchanged")
        store.apply([king("Flavia", "1890", id="g")])
        store.apply([End("g", "1899")])
        assert store.apply([king("Flavia", "1890", id="g")]).items[0].outcome == "unchanged"
        assert current(store, "g").valid_to == "1899"

    def test_a_retracted_statement_can_be_made_again(self, store: FactStore) -> None:
        first = store.apply([king("Rudolf", "1890")]).items[0].fact
        assert first is not None
        store.apply([Retract(first.id)])
        again = store.apply([king("Rudolf", "1890")]).items[0]
        assert again.outcome == "created"
        assert again.fact is not None
        assert again.fact.id != first.id

    # The verbs.

    def test_ending_a_fact_closes_it_and_keeps_the_version_before(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890", id="r")])
        receipt = store.apply([End("r", "1899")])
        assert (current(store, "r").valid_to, current(store, "r").status) == ("1899", "ended")
        assert [version.valid_to for version in store.snapshot().history("r")] == [None, "1899"]
        assert [change.kind for change in receipt.changes] == ["end"]
        assert store.apply([End("r", "1899")]).items[0].outcome == "unchanged"

    @pytest.mark.parametrize("at", ["1890", "1889-12-31"])
    def test_a_fact_cannot_end_before_it_began(self, store: FactStore, at: str) -> None:
        store.apply([king("Rudolf", "1890", id="r")])
        with pytest.raises(InvalidTime, match="cannot end") as refused:
            store.apply([End("r", at)])
        assert refused.value.pointer == "/0/at"

    def test_a_correction_makes_a_version_and_keeps_the_id(self, store: FactStore) -> None:
        store.apply([king("Rudlof", "1890", id="r", attributes={"page": 3})])
        changes = {"object": "Rudolf", "valid_from": "1891", "attributes": {"page": 4}}
        receipt = store.apply([Correct("r", changes)])
        fact = receipt.items[0].fact
        assert fact is not None
        assert (fact.id, fact.object, fact.valid_from, fact.attributes, fact.revision) == (
            "r",
            "Rudolf",
            "1891",
            {"page": 4},
            2,
        )
        change = receipt.changes[0]
        assert change.before is not None
        assert (change.kind, change.before.object, change.after) == ("correct", "Rudlof", fact)

    def test_correcting_the_end_away_makes_the_fact_active(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890", id="r"), End("r", "1899")])
        store.apply([Correct("r", {"valid_to": None})])
        assert (current(store, "r").valid_to, current(store, "r").status) == (None, "active")

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"valid_to": "1880"}, "/0/changes/valid_to"),
            ({"valid_from": "1900"}, "/0/changes/valid_from"),
            ({"id": "s"}, "/0/changes/id"),
            ({"object": None}, "/0/changes/object"),
            ({"attributes": 3}, "/0/changes/attributes"),
            ({}, "/0/changes"),
        ],
    )
    def test_an_impossible_correction_is_refused(
        self, store: FactStore, changes: dict[str, object], pointer: str
    ) -> None:
        store.apply([king("Rudolf", "1890", "1899", id="r")])
        with pytest.raises(InvalidFact) as refused:
            store.apply([Correct("r", changes)])
        assert refused.value.pointer == pointer
        assert store.revision == 1

    def test_a_retracted_fact_holds_nowhere_from_then_on(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890", id="r")])
        store.apply([Retract("r")])
        snapshot = store.snapshot()
        assert snapshot.get("r").status == "retracted"
        assert reigns(store) == set()
        assert (list(snapshot.facts()), snapshot.count()) == ([], 0)
        assert [fact.id for fact in snapshot.facts(status="retracted")] == ["r"]
        assert store.snapshot(revision=1).get("r").status == "active"
        assert store.apply([Retract("r")]).items[0].outcome == "unchanged"

    @pytest.mark.parametrize("command", [End("r", "1899"), Correct("r", {"object": "M"})])
    def test_a_retracted_fact_is_neither_ended_nor_corrected(
        self, store: FactStore, command: Command
    ) -> None:
        store.apply([king("Rudolf", "1890", id="r"), Retract("r")])
        with pytest.raises(InvalidFact, match="retracted"):
            store.apply([command])

    @pytest.mark.parametrize(
        "command", [End("f9", "1899"), Correct("f9", {"source": "x"}), Retract("f9"), Erase("f9")]
    )
    def test_commands_on_unknown_facts_are_refused(
        self, store: FactStore, command: Command
    ) -> None:
        with pytest.raises(NotFound, match="f9"):
            store.apply([command])

    def test_a_changed_fact_fails_the_expectation_of_its_old_revision(
        self, store: FactStore
    ) -> None:
        store.apply([king("Rudolf", "1890", id="r")])
        store.apply([Correct("r", {"source": "gazette"}, expect_revision=1)])
        with pytest.raises(PreconditionFailed, match="at revision 2, not 1"):
            store.apply([Retract("r", expect_revision=1)])
        # What was read is the state before the batch, also for its second command.
        store.apply([End("r", "1899", expect_revision=2), Retract("r", expect_revision=2)])
        assert current(store, "r").status == "retracted"

    # Erasure.

    def test_an_erased_fact_is_gone_from_every_revision_and_the_feed(
        self, store: FactStore
    ) -> None:
        store.apply([king("Rudolf", "1890", id="r"), king("Michael", "1890", id="m")])
        store.apply([Correct("r", {"source": "gazette"})])
        held = store.snapshot()
        receipt = store.apply([Erase("r")])
        assert (receipt.items[0].outcome, receipt.items[0].fact) == ("erased", None)
        for snapshot in (held, store.snapshot(revision=1), store.snapshot()):
            assert [fact.id for fact in snapshot.facts()] == ["m"]
            with pytest.raises(NotFound):
                snapshot.get("r")
            with pytest.raises(NotFound):
                snapshot.history("r")
        assert "Rudolf" not in repr(store.changes())
        kinds = [[change.kind for change in commit.changes] for commit in store.changes()]
        assert kinds == [["erase", "add"], ["erase"], ["erase"]]

    def test_an_entity_goes_with_the_last_fact_that_names_it(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890", id="r", object_aliases=("Elphberg",))])
        store.apply([king("Rudolf", "1899", id="s")])
        store.apply([Erase("r")])
        assert store.snapshot().resolve("Elphberg") == ["Rudolf"]
        store.apply([Erase("s")])
        assert store.snapshot().resolve("Elphberg") == []
        assert store.snapshot().relations() == []
        assert "Elphberg" not in repr(store.changes())

    # Idempotency and dry runs.

    def test_a_repeated_key_returns_the_earlier_receipt(self, store: FactStore) -> None:
        batch = [king("Rudolf", "1890", id="r", attributes={"page": [1, 2]})]
        first = store.apply(batch, idempotency_key="k")
        store.apply([Correct("r", {"source": "gazette"})])
        again = store.apply(batch, idempotency_key="k")
        assert (again.revision, again.items, again.changes) == (1, first.items, first.changes)
        assert (first.replayed, again.replayed) == (False, True)
        assert store.revision == 2

    def test_a_key_used_with_another_batch_is_refused(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890")], idempotency_key="k")
        with pytest.raises(IdempotencyMismatch, match="different batch"):
            store.apply([king("Michael", "1890")], idempotency_key="k")
        assert store.revision == 1

    def test_a_key_is_free_again_when_its_batch_failed(self, store: FactStore) -> None:
        with pytest.raises(NotFound):
            store.apply([Retract("r")], idempotency_key="k")
        store.apply([king("Rudolf", "1890")], idempotency_key="k")
        assert store.revision == 1

    def test_a_key_of_a_batch_that_changed_nothing_is_kept(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890", id="r")])
        store.apply([king("Rudolf", "1890", id="r")], idempotency_key="k")
        store.apply([Correct("r", {"source": "gazette"})])
        again = store.apply([king("Rudolf", "1890", id="r")], idempotency_key="k")
        assert (again.replayed, again.revision, again.changes) == (True, 1, ())
        assert again.items[0].fact is not None
        assert again.items[0].fact.source is None

    def test_a_replayed_receipt_shows_nothing_of_an_erased_fact(self, store: FactStore) -> None:
        batch = [king("Rudolf", "1890", id="r")]
        store.apply(batch, idempotency_key="k")
        store.apply([Erase("r")])
        again = store.apply(batch, idempotency_key="k")
        assert again.items[0].fact is None
        assert [change.kind for change in again.changes] == ["erase"]

    def test_a_dry_run_tells_what_would_happen_and_writes_nothing(self, store: FactStore) -> None:
        store.apply([SetRelation(Relation("king", "one")), king("Rudolf", "1890", id="r")])
        receipt = store.apply([king("Michael", "1893")], dry_run=True, idempotency_key="k")
        assert (receipt.dry_run, receipt.revision) == (True, 1)
        assert [change.kind for change in receipt.changes] == ["add", "supersede"]
        assert receipt.items[0].superseded == ("r",)
        assert (store.revision, reigns(store)) == (1, {("Rudolf", "1890", None)})
        assert store.apply([king("Flavia", "1893")], idempotency_key="k").replayed is False

    # Many at once, and the end.

    def test_writers_in_threads_make_a_gapless_order(self, store: FactStore) -> None:
        def write(worker: int) -> None:
            for number in range(10):
                store.apply([Add(f"s{worker}", "r", f"o{number}")])

        threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        commits = store.changes()
        assert [commit.revision for commit in commits] == list(range(1, 41))
        facts = [change.after for commit in commits for change in commit.changes]
        assert len({fact.id for fact in facts if fact}) == 40

    def test_a_closed_store_says_so(self, make_store: MakeStore, clock: Clock) -> None:
        store = make_store(clock)
        snapshot = store.snapshot()
        store.close()
        store.close()
        for call in (
            lambda: store.apply([king("Rudolf")]),
            lambda: store.revision,
            lambda: store.snapshot(),
            lambda: store.changes(),
            lambda: store.wait(0, 0.0),
            lambda: snapshot.count(),
        ):
            with pytest.raises(StoreUnavailable, match="closed"):
                call()
