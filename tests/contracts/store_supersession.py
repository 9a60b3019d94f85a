"""Contract: which fact holds when, in a relation of one object at a time and in others."""

from __future__ import annotations

from itertools import permutations

import pytest

from graph import (
    Add,
    Conflict,
    Correct,
    End,
    Erase,
    FactStore,
    InvalidFact,
    Relation,
    Retract,
    SetRelation,
)
from tests.contracts.clock import Clock
from tests.contracts.store_fixtures import (
    KING,
    MakeStore,
    StoreFixtures,
    current,
    king,
    reigns,
    when,
)


class SupersessionContract(StoreFixtures):
    def test_a_newer_fact_closes_the_older_at_its_start(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890", id="r")])
        receipt = kings.apply([king("Michael", "1893-05", id="m")])
        rudolf, michael = current(kings, "r"), current(kings, "m")
        assert (rudolf.valid_to, rudolf.status, rudolf.superseded_by) == (
            "1893-05",
            "superseded",
            "m",
        )
        assert (michael.valid_to, michael.status, michael.supersedes) == (None, "active", ("r",))
        assert receipt.items[0].superseded == ("r",)
        assert [change.kind for change in receipt.changes] == ["add", "supersede"]

    def test_a_backfilled_fact_ends_where_the_present_one_starts(self, kings: FactStore) -> None:
        kings.apply([king("Michael", "1893", id="m")])
        before = current(kings, "m")
        receipt = kings.apply([king("Rudolf", "1890", id="r")])
        rudolf = current(kings, "r")
        assert (rudolf.valid_to, rudolf.status, rudolf.superseded_by) == ("1893", "superseded", "m")
        assert current(kings, "m") == before
        assert [change.fact_id for change in receipt.changes] == ["r"]

    def test_a_backfilled_fact_with_an_earlier_end_keeps_it(self, kings: FactStore) -> None:
        kings.apply([king("Michael", "1893"), king("Rudolf", "1890", "1891", id="r")])
        assert current(kings, "r").valid_to == "1891"
        assert current(kings, "r").status == "active"

    def test_the_order_of_arrival_does_not_matter(
        self, make_store: MakeStore, clock: Clock
    ) -> None:
        facts = [
            king("Rudolf", "1890"),
            king("Michael", "1893", "1895"),
            king("Flavia", "1894-06", None),
            king("Michael", "1899", None),
        ]
        outcomes = []
        for order in permutations(facts):
            with make_store(clock) as store:
                store.apply([SetRelation(Relation(KING, "one"))])
                for fact in order:
                    store.apply([fact])
                outcomes.append(reigns(store))
        assert outcomes == [
            {
                ("Rudolf", "1890", "1893"),
                ("Michael", "1893", "1894-06"),
                ("Flavia", "1894-06", "1899"),
                ("Michael", "1899", None),
            }
        ] * len(outcomes)

    def test_of_equal_starts_the_later_recorded_holds_and_the_other_nowhere(
        self, kings: FactStore
    ) -> None:
        kings.apply([king("Rudolf", "1890", id="r")])
        kings.apply([king("Michael", "1890-01-01", id="m")])
        rudolf = current(kings, "r")
        assert (rudolf.status, rudolf.superseded_by) == ("superseded", "m")
        assert rudolf.interval.start == rudolf.interval.end
        assert reigns(kings) == {("Michael", "1890-01-01", None)}
        snapshot = kings.snapshot()
        assert [fact.id for fact in snapshot.facts()] == ["r", "m"]
        assert [fact.id for fact in snapshot.facts(as_of=when("1890"))] == ["m"]
        assert [fact.id for fact in snapshot.timeline("Ruritania")] == ["m"]

    def test_facts_that_do_not_overlap_leave_one_another_alone(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890", "1893"), king("Michael", "1893", "1895")])
        assert {fact.status for fact in kings.snapshot().facts()} == {"active"}

    def test_two_sources_may_state_the_same_object(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890", source="gazette")])
        receipt = kings.apply([king("Rudolf", "1891", source="gossip")])
        assert receipt.items[0].outcome == "created"
        assert reigns(kings) == {("Rudolf", "1890", None), ("Rudolf", "1891", None)}
        assert receipt.items[0].superseded == ()

    def test_a_relation_of_many_closes_nothing(self, store: FactStore) -> None:
        store.apply([Add("Ruritania", "visited", "Strelsau", "1890")])
        store.apply([Add("Ruritania", "visited", "Zenda", "1891")])
        assert {fact.valid_to for fact in store.snapshot().facts()} == {None}

    def test_declaring_a_relation_rewrites_no_fact(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890", id="r"), king("Michael", "1893", id="m")])
        store.apply([SetRelation(Relation(KING, "one"))])
        assert {fact.status for fact in store.snapshot().facts()} == {"active"}
        store.apply([king("Flavia", "1899", id="f")])
        assert [current(store, id).superseded_by for id in ("r", "m")] == ["f", "f"]

    # On conflict.

    def test_supersede_forces_the_rule_on_a_relation_of_many(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890", id="r")])
        store.apply([king("Michael", "1893", on_conflict="supersede")])
        assert current(store, "r").valid_to == "1893"

    def test_coexist_closes_nothing_and_is_closed_by_the_next(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890", id="r")])
        kings.apply([king("Michael", "1893", id="m", on_conflict="coexist")])
        assert reigns(kings) == {("Rudolf", "1890", None), ("Michael", "1893", None)}
        kings.apply([king("Flavia", "1899")])
        assert reigns(kings) == {
            ("Rudolf", "1890", "1899"),
            ("Michael", "1893", "1899"),
            ("Flavia", "1899", None),
        }

    def test_reject_names_the_facts_in_the_way_and_writes_nothing(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890", id="r")])
        with pytest.raises(Conflict, match="another 'king'") as refused:
            kings.apply([king("Flavia", "1880", "1885"), king("M", "1893", on_conflict="reject")])
        assert refused.value.fact_ids == ("r",)
        assert refused.value.pointer == "/1"
        assert reigns(kings) == {("Rudolf", "1890", None)}
        assert kings.revision == 2

    def test_reject_lets_in_what_is_in_nobodys_way(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890", "1893")])
        kings.apply([king("Michael", "1893", on_conflict="reject")])
        kings.apply([king("Michael", "1893-06", source="x", on_conflict="reject")])
        assert len(reigns(kings)) == 3

    # Undated statements.

    def test_an_undated_fact_in_an_empty_slot_holds_always(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf")])
        assert reigns(kings) == {("Rudolf", None, None)}
        assert len(list(kings.snapshot().facts(as_of=when("-9999")))) == 1

    def test_an_undated_contradiction_starts_today(self, kings: FactStore, clock: Clock) -> None:
        kings.apply([king("Rudolf", "1890")])
        receipt = kings.apply([king("Michael")])
        assert reigns(kings) == {
            ("Rudolf", "1890", "2026-11-24"),
            ("Michael", "2026-11-24", None),
        }
        assert receipt.items[0].fact is not None
        assert receipt.items[0].fact.attributes == {"valid_from_inferred": True}
        clock.move(days=1)
        kings.apply([king("Flavia")])
        assert ("Michael", "2026-11-24", "2026-11-25") in reigns(kings)

    def test_an_undated_contradiction_of_a_past_fact_starts_today(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890", "1893"), king("Michael")])
        assert ("Michael", "2026-11-24", None) in reigns(kings)

    def test_an_undated_fact_before_a_coming_one_holds_until_then(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "2030"), king("Michael")])
        assert ("Michael", None, "2030") in reigns(kings)

    def test_an_undated_fact_with_a_past_end_is_history(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890"), king("Michael", None, "1885")])
        assert ("Michael", None, "1885") in reigns(kings)

    def test_an_undated_contradiction_of_a_fact_from_earlier_today_starts_now(
        self, kings: FactStore
    ) -> None:
        kings.apply([king("Rudolf", "2026-11-24T10:00Z"), king("Michael")])
        assert reigns(kings) == {
            ("Rudolf", "2026-11-24T10:00Z", "2026-11-24T12:00:00Z"),
            ("Michael", "2026-11-24T12:00:00Z", None),
        }

    def test_an_undated_fact_said_again_is_unchanged_while_it_holds(
        self, kings: FactStore, clock: Clock
    ) -> None:
        kings.apply([king("Rudolf", "1890"), king("Michael")])
        clock.move(days=3)
        assert kings.apply([king("Michael")]).items[0].outcome == "unchanged"

    def test_an_undated_fact_said_again_after_another_is_true_again(
        self, kings: FactStore, clock: Clock
    ) -> None:
        kings.apply([king("Rudolf"), king("Michael")])
        clock.move(days=1)
        assert kings.apply([king("Rudolf")]).items[0].outcome == "created"
        assert reigns(kings) == {
            ("Rudolf", None, "2026-11-24"),
            ("Michael", "2026-11-24", "2026-11-25"),
            ("Rudolf", "2026-11-25", None),
        }

    # Undoing.

    @pytest.mark.parametrize("undo", [Retract("m"), Erase("m")], ids=["retract", "erase"])
    def test_what_a_withdrawn_fact_closed_gets_its_stated_end_back(
        self, kings: FactStore, undo: Retract | Erase
    ) -> None:
        kings.apply([king("Rudolf", "1890", "1899", id="r"), king("Michael", "1893", id="m")])
        receipt = kings.apply([undo])
        rudolf = current(kings, "r")
        assert (rudolf.valid_to, rudolf.status, rudolf.superseded_by) == ("1899", "active", None)
        assert [change.kind for change in receipt.changes] == [
            "erase" if isinstance(undo, Erase) else "retract",
            "supersede",
        ]

    def test_what_a_withdrawn_fact_closed_falls_to_the_next_one(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890", id="r"), king("Michael", "1893", id="m")])
        kings.apply([king("Flavia", "1899", id="f"), Retract("m")])
        assert reigns(kings) == {("Rudolf", "1890", "1899"), ("Flavia", "1899", None)}
        assert current(kings, "r").superseded_by == "f"

    def test_an_ended_fact_is_ended_again_when_what_closed_it_is_withdrawn(
        self, kings: FactStore
    ) -> None:
        kings.apply([king("Rudolf", "1890", id="r"), End("r", "1899")])
        kings.apply([king("Michael", "1893", id="m")])
        assert current(kings, "r").status == "superseded"
        kings.apply([Retract("m")])
        assert (current(kings, "r").status, current(kings, "r").valid_to) == ("ended", "1899")

    def test_a_retracted_loser_of_equal_starts_leaves_the_winner(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890", id="r"), king("Michael", "1890", id="m")])
        kings.apply([Retract("r")])
        assert reigns(kings) == {("Michael", "1890", None)}

    # Corrections settle the slot anew.

    def test_a_corrected_start_moves_the_end_of_the_one_before(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890", id="r"), king("Michael", "1893", id="m")])
        kings.apply([Correct("m", {"valid_from": "1895"})])
        assert reigns(kings) == {("Rudolf", "1890", "1895"), ("Michael", "1895", None)}

    def test_a_correction_can_turn_the_order_round(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890", id="r"), king("Michael", "1893", id="m")])
        kings.apply([Correct("m", {"valid_from": "1885"})])
        assert reigns(kings) == {("Michael", "1885", "1890"), ("Rudolf", "1890", None)}
        assert current(kings, "r").supersedes == ()

    def test_a_fact_corrected_into_another_slot_leaves_the_first(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890", id="r"), king("Michael", "1893", id="m")])
        kings.apply([Correct("m", {"subject": "Strelsau"})])
        assert reigns(kings) == {("Rudolf", "1890", None)}
        assert current(kings, "r").status == "active"

    def test_a_corrected_end_before_the_next_start_is_no_supersession(
        self, kings: FactStore
    ) -> None:
        kings.apply([king("Rudolf", "1890", id="r"), king("Michael", "1893", id="m")])
        kings.apply([Correct("r", {"valid_to": "1892"})])
        assert (current(kings, "r").status, current(kings, "r").valid_to) == ("active", "1892")

    def test_correcting_an_old_fact_does_not_unseat_the_newer_one(self, kings: FactStore) -> None:
        kings.apply([king("Rudolff", "1890", id="r"), king("Michael", "1890", id="m")])
        kings.apply([Correct("r", {"object": "Rudolf"})])
        assert reigns(kings) == {("Michael", "1890", None)}

    def test_correcting_an_inferred_start_drops_the_mark(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890"), king("Michael", id="m", attributes={"page": 3})])
        kings.apply([Correct("m", {"valid_from": "2020"})])
        assert current(kings, "m").attributes == {"page": 3}

    def test_ending_a_closed_fact_later_leaves_it_closed(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890", id="r"), king("Michael", "1893", id="m")])
        kings.apply([End("r", "1899")])
        assert current(kings, "r").valid_to == "1893"
        kings.apply([End("r", "1891")])
        assert (current(kings, "r").valid_to, current(kings, "r").status) == ("1891", "ended")
        with pytest.raises(InvalidFact, match="retracted"):
            kings.apply([Retract("r"), End("r", "1890-06")])
