"""Contract: what becomes one when entities are merged, and relations read from either side."""

from __future__ import annotations

import pytest

from graph import (
    Add,
    Correct,
    End,
    Erase,
    Fact,
    FactStore,
    InvalidFact,
    MergeEntities,
    NotFound,
    Relation,
    Retract,
    SetAliases,
    SetRelation,
)
from tests.contracts.store_fixtures import StoreFixtures, current, king, reigns, when


def said(fact: Fact) -> tuple[str, str, str]:
    return (fact.subject, fact.relation, fact.object)


class EntitiesContract(StoreFixtures):
    # Merging.

    def test_facts_of_a_merged_entity_read_under_its_target(self, store: FactStore) -> None:
        store.apply(
            [Add("Rudolf R.", "visited", "Zenda", id="v"), Add("Zenda", "host", "Rudolf R.")]
        )
        receipt = store.apply([MergeEntities("Rudolf R.", "Rudolf Rassendyll")])
        snapshot = store.snapshot()
        assert [said(fact) for fact in snapshot.facts()] == [
            ("Rudolf Rassendyll", "visited", "Zenda"),
            ("Zenda", "host", "Rudolf Rassendyll"),
        ]
        assert (receipt.items[0].outcome, current(store, "v").revision) == ("updated", 2)
        assert [fact.id for fact in snapshot.facts(subject="Rudolf R.")] == ["v"]
        assert snapshot.slots([("Rudolf R.", "visited")]) == {}
        assert len(snapshot.timeline("Rudolf R.")) == 2

    def test_earlier_revisions_stay_as_they_were(self, store: FactStore) -> None:
        store.apply([Add("R.", "visited", "Zenda", id="v"), SetAliases("R.", ("King R.",))])
        with store.snapshot() as held:
            store.apply([MergeEntities("R.", "Rudolf")])
            for snapshot in (held, store.snapshot(revision=1)):
                assert said(snapshot.get("v")) == ("R.", "visited", "Zenda")
                assert snapshot.resolve("King R.") == ["R."]
                assert snapshot.resolve("Rudolf") == []
        assert [fact.subject for fact in store.snapshot().history("v")] == ["R.", "Rudolf"]

    def test_names_follow_the_merged_entity(self, store: FactStore) -> None:
        store.apply([Add("R.", "visited", "Zenda", aliases=("King R.", "Rudolf"))])
        store.apply([Add("Rudolf", "visited", "Strelsau", aliases=("Rex",))])
        store.apply([MergeEntities("R.", "Rudolf")])
        snapshot = store.snapshot()
        assert snapshot.aliases("Rudolf") == ("Rex", "R.", "King R.")
        assert snapshot.aliases("R.") == ()
        for name in ("R.", "King R.", "Rudolf", "Rex"):
            assert snapshot.resolve(name) == ["Rudolf"]

    def test_what_is_written_under_a_merged_name_is_stored_under_the_target(
        self, store: FactStore
    ) -> None:
        store.apply([Add("R.", "visited", "Zenda", id="v"), MergeEntities("R.", "Rudolf")])
        store.apply([Add("Zenda", "host", "R.", id="h", object_aliases=("Rex",))])
        assert said(current(store, "h")) == ("Zenda", "host", "Rudolf")
        again = store.apply([Add("R.", "visited", "Zenda"), Add("R.", "visited", "Zenda", id="v")])
        assert [item.outcome for item in again.items] == ["unchanged", "unchanged"]
        store.apply([Correct("v", {"object": "R."}), SetAliases("R.", ("Rassendyll",))])
        assert said(current(store, "v")) == ("Rudolf", "visited", "Rudolf")
        assert store.snapshot().aliases("Rudolf") == ("R.", "Rex", "Rassendyll")

    def test_a_line_from_before_the_merge_may_be_loaded_again(self, store: FactStore) -> None:
        store.apply([Add("R.", "visited", "Zenda", id="v")])
        store.apply([End("v", "1890"), MergeEntities("R.", "Rudolf")])
        again = store.apply([Add("R.", "visited", "Zenda", id="v")])
        assert again.items[0].outcome == "unchanged"

    def test_slots_that_come_together_settle(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890"), king("Michael", "1896")])
        kings.apply([Add("R'ia", "king", "Flavia", "1893", id="x")])
        receipt = kings.apply([MergeEntities("R'ia", "Ruritania")])
        assert reigns(kings) == {
            ("Rudolf", "1890", "1893"),
            ("Flavia", "1893", "1896"),
            ("Michael", "1896", None),
        }
        assert receipt.items[0].superseded == ("f1", "x")
        kinds = {change.fact_id: change.kind for change in receipt.changes if change.fact_id}
        assert kinds == {"x": "merge", "f1": "supersede"}

    def test_objects_that_become_one_contradict_no_more(self, kings: FactStore) -> None:
        kings.apply([king("Rudolf", "1890"), king("R.", "1893"), king("Michael", "1896")])
        kings.apply([MergeEntities("R.", "Rudolf")])
        assert reigns(kings) == {
            ("Rudolf", "1890", "1896"),
            ("Rudolf", "1893", "1896"),
            ("Michael", "1896", None),
        }

    def test_a_merge_is_told_in_the_feed_with_its_names(self, store: FactStore) -> None:
        store.apply([Add("R.", "visited", "Zenda", aliases=("Rex",))])
        store.apply([MergeEntities("R.", "Rudolf")])
        merged, named, moved = store.changes(1)[0].changes
        assert (merged.kind, merged.entity, merged.target) == ("merge", "R.", "Rudolf")
        assert (named.kind, named.entity, named.aliases) == ("alias", "Rudolf", ("R.", "Rex"))
        assert moved.before is not None
        assert moved.after is not None
        assert (moved.kind, moved.before.subject, moved.after.subject) == ("merge", "R.", "Rudolf")

    def test_merges_chain_and_repeat_without_harm(self, store: FactStore) -> None:
        store.apply([Add("A", "visited", "Zenda"), Add("B", "visited", "Strelsau")])
        store.apply([MergeEntities("A", "B"), MergeEntities("B", "C")])
        store.apply([Add("A", "host", "B")])
        assert {fact.subject for fact in store.snapshot().facts()} == {"C"}
        assert store.snapshot().resolve("A") == ["C"]
        for source, target in (("A", "B"), ("B", "A"), ("A", "C"), ("C", "A")):
            receipt = store.apply([MergeEntities(source, target)])
            assert (receipt.items[0].outcome, receipt.revision) == ("unchanged", 3)

    def test_retracted_facts_move_along(self, store: FactStore) -> None:
        store.apply([Add("R.", "visited", "Zenda", id="v"), Retract("v")])
        store.apply([MergeEntities("R.", "Rudolf")])
        assert current(store, "v").subject == "Rudolf"

    def test_a_merge_of_nobody_or_of_oneself_is_refused(self, store: FactStore) -> None:
        store.apply([Add("R.", "visited", "Zenda")])
        with pytest.raises(NotFound, match="'Nobody'") as unknown:
            store.apply([MergeEntities("Nobody", "R.")])
        assert unknown.value.pointer == "/0"
        with pytest.raises(InvalidFact, match="not itself") as same:
            store.apply([MergeEntities("R.", " R. ")])
        assert same.value.pointer == "/0/target"

    def test_erasing_the_last_fact_of_merged_entities_erases_all_their_names(
        self, store: FactStore
    ) -> None:
        store.apply([Add("R.", "visited", "Zenda", id="v", aliases=("Rex",))])
        store.apply([Add("Rudolf", "visited", "Zenda", id="w"), MergeEntities("R.", "Rudolf")])
        store.apply([Erase("v")])
        assert store.snapshot().resolve("R.") == ["Rudolf"]
        store.apply([Erase("w")])
        for name in ("R.", "Rex", "Rudolf"):
            assert store.snapshot().resolve(name) == []
            assert name not in repr(store.changes())
        store.apply([Add("R.", "visited", "Zenda")])
        assert store.snapshot().resolve("R.") == ["R."]

    # Inverses.

    @pytest.fixture
    def employers(self, store: FactStore) -> FactStore:
        """The store, knowing that who works for somebody is employed by them (revision 1)."""
        store.apply([SetRelation(Relation("works for", "one", inverse="employs"))])
        return store

    def test_facts_read_under_the_inverse_are_turned_round(self, employers: FactStore) -> None:
        employers.apply([Add("Fritz", "works for", "Rudolf", "1890", id="f", aliases=("F.",))])
        employers.apply([Add("Sapt", "works for", "Rudolf", "1889", "1891", id="s")])
        snapshot = employers.snapshot()
        turned = list(snapshot.facts(relation="employs", object="F."))
        assert [(fact.id, said(fact)) for fact in turned] == [("f", ("Rudolf", "employs", "Fritz"))]
        assert list(snapshot.facts(relation="employs", subject="Fritz")) == []
        slot = snapshot.slots([("Rudolf", "employs"), ("Sapt", "works for")])
        assert [fact.id for fact in slot["Rudolf", "employs"]] == ["f", "s"]
        assert said(slot["Rudolf", "employs"][1]) == ("Rudolf", "employs", "Sapt")
        assert said(slot["Sapt", "works for"][0]) == ("Sapt", "works for", "Rudolf")
        later = snapshot.slots([("Rudolf", "employs")], when("1892"))
        assert [fact.id for fact in later["Rudolf", "employs"]] == ["f"]

    def test_pages_of_an_inverse_go_on_where_they_ended(self, employers: FactStore) -> None:
        employers.apply([Add(f"p{number}", "works for", "Rudolf") for number in range(5)])
        snapshot = employers.snapshot()
        first = list(snapshot.facts(relation="employs", limit=3))
        rest = list(snapshot.facts(relation="employs", after=first[-1].id))
        assert [fact.object for fact in first + rest] == [f"p{number}" for number in range(5)]

    def test_what_is_stated_under_the_inverse_is_stored_turned_round(
        self, employers: FactStore
    ) -> None:
        employers.apply([Add("Fritz", "works for", "Rudolf", "1890", id="f")])
        receipt = employers.apply(
            [Add("Michael", "employs", "Fritz", "1893", id="g", aliases=("Black Michael",))]
        )
        assert said(current(employers, "g")) == ("Fritz", "works for", "Michael")
        assert employers.snapshot().aliases("Michael") == ("Black Michael",)
        assert (receipt.items[0].superseded, current(employers, "f").valid_to) == (("f",), "1893")
        again = employers.apply([Add("Michael", "employs", "Fritz", "1893")])
        assert again.items[0].outcome == "unchanged"

    def test_a_correction_to_the_inverse_says_who_was_meant(self, employers: FactStore) -> None:
        employers.apply([Add("Rudolf", "works for", "Fritz", id="f")])
        employers.apply([Correct("f", {"relation": "employs"})])
        assert said(current(employers, "f")) == ("Fritz", "works for", "Rudolf")

    def test_revisions_before_the_declaration_know_no_inverse(self, store: FactStore) -> None:
        store.apply([Add("Fritz", "works for", "Rudolf")])
        store.apply([SetRelation(Relation("works for", inverse="employs"))])
        assert list(store.snapshot(revision=1).facts(relation="employs")) == []
        assert len(list(store.snapshot().facts(relation="employs"))) == 1
        store.apply([SetRelation(Relation("works for"))])
        assert list(store.snapshot().facts(relation="employs")) == []
        assert len(list(store.snapshot(revision=2).facts(relation="employs"))) == 1
        store.apply([Add("Rudolf", "employs", "Sapt")])
        assert len(list(store.snapshot().facts(relation="employs", subject="Rudolf"))) == 1

    @pytest.mark.parametrize(
        ("relation", "pointer"),
        [
            (Relation("married to", inverse="married to"), "/0/relation/inverse"),
            (Relation("serves", inverse="employs"), "/0/relation/inverse"),
            (Relation("employs"), "/0/relation/name"),
            (Relation("serves", inverse="king"), "/0/relation/inverse"),
            (Relation("serves", inverse="visited"), "/0/relation/inverse"),
        ],
    )
    def test_an_inverse_that_is_something_else_already_is_refused(
        self, employers: FactStore, relation: Relation, pointer: str
    ) -> None:
        employers.apply([SetRelation(Relation("king", "one")), Add("Rudolf", "visited", "Zenda")])
        with pytest.raises(InvalidFact) as refused:
            employers.apply([SetRelation(relation)])
        assert refused.value.pointer == pointer

    def test_an_inverse_is_declared_once_its_own_facts_are_gone(self, store: FactStore) -> None:
        store.apply([Add("Rudolf", "employs", "Fritz", id="f")])
        declare = SetRelation(Relation("works for", inverse="employs"))
        with pytest.raises(InvalidFact, match="stored under 'employs'"):
            store.apply([declare])
        turned = {"subject": "Fritz", "relation": "works for", "object": "Rudolf"}
        store.apply([Correct("f", turned), declare])
        assert said(next(store.snapshot().facts(relation="employs"))) == (
            "Rudolf",
            "employs",
            "Fritz",
        )
