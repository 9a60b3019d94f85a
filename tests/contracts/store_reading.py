"""Contract: what snapshots and the feed answer."""

from __future__ import annotations

import threading

import pytest

from graph import (
    Add,
    Correct,
    End,
    FactStore,
    NotFound,
    Relation,
    Retract,
    RevisionUnknown,
    SetAliases,
    SetRelation,
)
from tests.contracts.clock import Clock
from tests.contracts.store_fixtures import StoreFixtures, king, when


class ReadingContract(StoreFixtures):
    # Two times.

    def test_a_snapshot_stays_at_its_revision(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890", id="r")])
        held = store.snapshot()
        store.apply([Correct("r", {"object": "Rudolf V"}), king("Michael", "1893")])
        assert (held.revision, held.get("r").object, held.count()) == (1, "Rudolf", 1)
        assert len(held.history("r")) == 1
        assert held.resolve("Rudolf V") == []

    def test_every_revision_can_be_read_again(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890", id="r")])
        store.apply([End("r", "1899")])
        store.apply([Retract("r")])
        statuses = [store.snapshot(revision=r).get("r").status for r in (1, 2, 3)]
        assert statuses == ["active", "ended", "retracted"]
        assert [fact.revision for fact in store.snapshot().history("r")] == [1, 2, 3]
        with pytest.raises(NotFound):
            store.snapshot(revision=0).get("r")

    @pytest.mark.parametrize("revision", [-1, 2])
    def test_a_revision_that_is_not_there_is_refused(self, store: FactStore, revision: int) -> None:
        store.apply([king("Rudolf", "1890")])
        with pytest.raises(RevisionUnknown, match="the latest is 1"):
            store.snapshot(revision=revision)

    def test_known_at_pins_the_last_revision_of_that_time(
        self, store: FactStore, clock: Clock
    ) -> None:
        store.apply([king("Rudolf", "1890")])
        clock.move(seconds=1)
        store.apply([king("Michael", "1893")])
        clock.move(days=1)
        store.apply([king("Flavia", "1899")])
        assert store.snapshot(known_at=when("2026-11-24T11:59:59Z")).revision == 0
        assert store.snapshot(known_at=when("2026-11-24T12:00:00Z")).revision == 1
        assert store.snapshot(known_at=when("2026-11-24")).revision == 2
        assert store.snapshot(known_at=when("2026")).revision == 3
        assert store.snapshot(known_at=when("+12026")).revision == 3
        with pytest.raises(ValueError, match="not both"):
            store.snapshot(revision=1, known_at=when("2026"))

    def test_as_of_asks_for_a_shared_instant(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890", "1893-05-03"), king("Michael", "1893-05-03", "1895")])

        def then(text: str) -> list[str]:
            return [fact.object for fact in store.snapshot().facts(as_of=when(text))]

        assert then("1889") == []
        assert then("1893") == ["Rudolf", "Michael"]
        assert then("1893-05-02") == ["Rudolf"]
        assert then("1893-05-02T23:59:59Z") == ["Rudolf"]
        assert then("1893-05-03") == ["Michael"]
        assert then("1895") == []

    # Looking facts up.

    def test_filters_narrow_and_join(self, store: FactStore) -> None:
        store.apply(
            [
                king("Rudolf", "1890", id="a", source="gazette"),
                king("Michael", "1893", "1895", id="b", source="gossip"),
                Add("Strelsau", "mayor", "Michael", id="c", source="gazette"),
                End("a", "1893"),
            ]
        )

        def ids(**filters: object) -> list[str]:
            return [fact.id for fact in store.snapshot().facts(**filters)]  # type: ignore[arg-type]

        assert ids() == ["a", "b", "c"]
        assert ids(subject="Ruritania") == ["a", "b"]
        assert ids(relation="mayor") == ["c"]
        assert ids(object="Michael") == ["b", "c"]
        assert ids(source="gazette") == ["a", "c"]
        assert ids(status="ended") == ["a"]
        assert ids(object="Michael", source="gossip") == ["b"]
        assert ids(subject="Ruritania", as_of=when("1894")) == ["b"]
        for nothing in ({"subject": "Zenda"}, {"relation": "x"}, {"source": "x"}, {"object": "x"}):
            assert ids(**nothing) == []

    def test_pages_continue_after_a_fact(self, store: FactStore) -> None:
        store.apply([king(f"K{number}", id=f"k{number}") for number in range(5)])
        store.apply([Correct("k1", {"object": "K9"})])
        snapshot = store.snapshot()
        assert [fact.id for fact in snapshot.facts(limit=2)] == ["k0", "k1"]
        assert [fact.id for fact in snapshot.facts(after="k1", limit=2)] == ["k2", "k3"]
        assert [fact.id for fact in snapshot.facts(after="k3")] == ["k4"]
        assert list(snapshot.facts(limit=0)) == []
        with pytest.raises(NotFound):
            snapshot.facts(after="k9")

    def test_a_long_listing_has_every_fact_once(self, store: FactStore) -> None:
        store.apply([king(f"K{number}") for number in range(1234)])
        objects = [fact.object for fact in store.snapshot().facts()]
        assert objects == [f"K{number}" for number in range(1234)]
        assert len(list(store.snapshot().facts(limit=1001))) == 1001

    def test_names_match_by_alias_in_filters_and_timelines(self, store: FactStore) -> None:
        store.apply([king("Rudolf", "1890", object_aliases=("Rudolf V",), aliases=("RU",))])
        store.apply([SetAliases("Rudolf", ("The Red Elphberg",))])
        snapshot = store.snapshot()
        for name in ("Rudolf", "Rudolf V", "The Red Elphberg"):
            assert len(list(snapshot.facts(object=name))) == 1
            assert len(snapshot.timeline(name)) == 1
            assert snapshot.resolve(name) == ["Rudolf"]
        assert len(list(snapshot.facts(subject="RU"))) == 1
        assert snapshot.slots([("RU", "king")]) == {}
        assert snapshot.aliases("Rudolf") == ("Rudolf V", "The Red Elphberg")
        assert store.snapshot(revision=1).aliases("Rudolf") == ("Rudolf V",)
        assert store.snapshot(revision=1).resolve("The Red Elphberg") == []

    def test_a_name_that_several_bear_resolves_to_all(self, store: FactStore) -> None:
        store.apply([SetAliases("Rudolf V", ("Rudolf",)), SetAliases("Rudolf III", ("Rudolf",))])
        assert store.snapshot().resolve("Rudolf") == ["Rudolf III", "Rudolf V"]
        store.apply([king("Rudolf")])
        assert store.snapshot().resolve("Rudolf") == ["Rudolf", "Rudolf III", "Rudolf V"]
        assert store.snapshot().resolve("rudolf") == []

    def test_an_alias_equal_to_the_name_or_known_is_no_change(self, store: FactStore) -> None:
        store.apply([SetAliases("Rudolf", ("Rudolf", "R", "R"))])
        assert store.snapshot().aliases("Rudolf") == ("R",)
        assert store.apply([SetAliases("Rudolf", ("R",))]).items[0].outcome == "unchanged"

    def test_slots_give_what_holds_latest_start_first(self, store: FactStore) -> None:
        store.apply(
            [
                king("Rudolf", "1890"),
                king("Michael", "1895"),
                king("Flavia", None, "1892"),
                king("Sapt", "1895-01-01"),
                Add("Zenda", "king", "Black Michael", "1890"),
            ]
        )
        pairs = [("Ruritania", "king"), ("Zenda", "king"), ("Zenda", "x"), ("Ruritania", "king")]
        snapshot = store.snapshot()
        objects = {
            pair: [fact.object for fact in facts] for pair, facts in snapshot.slots(pairs).items()
        }
        assert objects == {
            ("Ruritania", "king"): ["Sapt", "Michael", "Rudolf", "Flavia"],
            ("Zenda", "king"): ["Black Michael"],
        }
        then = snapshot.slots(iter(pairs), when("1891"))
        assert [fact.object for fact in then[pairs[0]]] == ["Rudolf", "Flavia"]
        assert snapshot.slots([], when("1891")) == {}
        assert snapshot.slots(pairs, when("1700")).keys() == {("Ruritania", "king")}

    def test_a_timeline_goes_by_start_then_relation(self, store: FactStore) -> None:
        store.apply(
            [
                Add("Rudolf", "visited", "Zenda", "1893"),
                king("Rudolf", "1893", id="k"),
                Add("Rudolf", "born in", "Strelsau"),
                Add("Zenda", "near", "Strelsau"),
                king("Rudolf", "1850", id="wrong"),
                Retract("wrong"),
            ]
        )
        timeline = store.snapshot().timeline("Rudolf")
        assert [fact.relation for fact in timeline] == ["born in", "king", "visited"]
        assert store.snapshot().timeline("Nobody") == []

    def test_relations_are_those_declared_or_used(self, store: FactStore) -> None:
        store.apply([king("Rudolf")])
        one = Relation("mayor", "one", "{object} is mayor of {subject}.")
        store.apply([SetRelation(one)])
        store.apply([SetRelation(Relation("mayor", "many"))])
        assert store.snapshot().relations() == [Relation("king"), Relation("mayor", "many")]
        assert store.snapshot(revision=2).relation("mayor") == one
        assert store.snapshot(revision=1).relations() == [Relation("king")]
        assert store.snapshot().relation("unheard of") == Relation("unheard of", "many")

    def test_text_comes_back_as_given(self, store: FactStore) -> None:
        attributes = {"∂": ["日本", 1.5, None, {"a": True}], "long": "x" * 3000}
        fact = king("Zoë 🜚 O'Neil; DROP", "+12026", None, source="a\u00a0b", attributes=attributes)
        stored = store.apply([fact]).items[0].fact
        assert stored is not None
        assert (stored.object, stored.valid_from, stored.source, stored.attributes) == (
            "Zoë 🜚 O'Neil; DROP",
            "+12026",
            "a\u00a0b",
            attributes,
        )
        assert store.snapshot().get(stored.id) == stored

    # The feed.

    def test_the_feed_is_read_from_any_revision(self, store: FactStore) -> None:
        for name in ("Rudolf", "Michael", "Flavia"):
            store.apply([king(name)])
        assert [commit.revision for commit in store.changes(1)] == [2, 3]
        assert [commit.revision for commit in store.changes(0, limit=2)] == [1, 2]
        assert store.changes(3) == store.changes(99) == []

    def test_the_feed_tells_all_that_a_receipt_told(self, store: FactStore) -> None:
        receipt = store.apply(
            [
                SetRelation(Relation("king", "one", "{subject}: {object}")),
                king("Rudolf", "1890", object_aliases=("Rudolf V",)),
                king("Michael", "1893"),
            ]
        )
        assert store.changes()[0].changes == receipt.changes
        assert [change.kind for change in receipt.changes] == ["relation", "alias", "add", "add"]

    def test_waiting_ends_at_the_next_commit(self, store: FactStore) -> None:
        assert store.wait(0, 0.0) is False
        written = threading.Timer(0.05, store.apply, [[king("Rudolf")]])
        written.start()
        assert store.wait(0, 30.0) is True
        written.join()
        assert store.wait(0, 0.0) is True
        assert store.wait(1, 0.01) is False
