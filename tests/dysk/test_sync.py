"""The syncer: index, mentions and caches follow the feed, whatever it says and whatever fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dysk.retrieval.coarse import CoarseIndex, FaissIndex
from dysk.retrieval.encoder import CachedEncoder, HashEncoder, Progress, Vectors
from dysk.retrieval.exact import ExactIndex
from dysk.retrieval.keys import slot_keys
from dysk.retrieval.vector_file import key_of
from dysk.retrieval.verbalize import spell_out
from dysk.sync import Slot, Syncer
from graph import (
    Add,
    Correct,
    Erase,
    FactStore,
    GraphError,
    MemoryStore,
    MergeEntities,
    Retract,
    SetAliases,
)
from tests.graph.strategies import NAMES, batches

DIM = 32
INDEXES: list[Callable[[int], CoarseIndex]] = [ExactIndex, FaissIndex]


def syncer_of(
    store: FactStore, make: Callable[[int], CoarseIndex] = ExactIndex, **more: Any
) -> Syncer:
    return Syncer(store, CachedEncoder(HashEncoder(DIM)), index=make(DIM), **more)


def slots_in(syncer: Syncer) -> dict[Slot, int]:
    """Each slot and its id, as the entries have them."""
    found: dict[Slot, int] = {}
    for subject in list(syncer._slots_of_subject):
        ids = syncer.slots_of(subject)
        found |= {slot: i for slot, i in zip(syncer.slots(ids), ids, strict=True) if slot}
    return found


def mentioned(syncer: Syncer) -> set[tuple[str, str]]:
    """Which names of the small world lead to which entities."""
    questions = {name: f"Is it {name} ?" for name in NAMES}
    return {
        (name, mention.entity)
        for name, question in questions.items()
        for mention in syncer.mentions.find(question)
        if mention.text == name
    }


def check_against_store(syncer: Syncer, store: FactStore) -> None:
    """Slots are those that any version of a fact ever had; index and caches hold nothing else."""
    with store.snapshot() as snapshot:
        ids = {fact.id for status in (None, "retracted") for fact in snapshot.facts(status=status)}
        versions = [version for fact_id in ids for version in snapshot.history(fact_id)]
        names = {
            version.subject: {version.subject, *snapshot.aliases(version.subject)}
            for version in versions
        }
    slots = slots_in(syncer)
    assert set(slots) == {(version.subject, version.relation) for version in versions}
    assert len(syncer.index) == len(slots)
    for slot, slot_id in slots.items():
        key = slot_keys(CachedEncoder(HashEncoder(DIM)), [slot])[0]
        assert syncer.index.score(key, [slot_id])[0] == pytest.approx(1.0, abs=1e-5)
    assert dict(syncer._names) == names
    texts = {text for subject, relation in slots for text in (subject, spell_out(relation))}
    assert set(syncer.encoder._recent) == {key_of(text) for text in texts}
    assert set(syncer._encoded) == texts


@pytest.mark.parametrize("make", INDEXES)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_following_step_by_step_and_replaying_from_0_give_the_same_state(
    make: Callable[[int], CoarseIndex], data: st.DataObject
) -> None:
    store = MemoryStore()
    following = syncer_of(store, make)
    recorded: list[str] = []
    for _ in range(data.draw(st.integers(1, 8))):
        try:
            receipt = store.apply(data.draw(batches(recorded)))
        except GraphError:
            continue
        recorded = [
            *recorded,
            *(item.fact.id for item in receipt.items if item.fact and item.outcome == "created"),
        ]
        if data.draw(st.booleans()):
            following.catch_up(store.revision)
    following.catch_up(store.revision)
    replayed = syncer_of(store, make)
    replayed.catch_up(store.revision)
    for syncer in (following, replayed):
        assert syncer.watermark == store.revision
        check_against_store(syncer, store)
    assert mentioned(following) == mentioned(replayed)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def syncer(store: MemoryStore) -> Syncer:
    return syncer_of(store)


def test_an_erased_fact_leaves_no_slot_no_key_no_vector_no_name_and_no_alias(
    store: MemoryStore,
) -> None:
    erased: list[str] = []
    syncer = syncer_of(store, on_erase=erased.extend)
    store.apply([Add("Zembla", "regent", "Charles", id="z", aliases=("Land of Mirrors",))])
    store.apply([Add("Ruritania", "king", "Rudolf")])
    syncer.catch_up(store.revision)
    assert syncer.mentions.find("Who rules the Land of Mirrors?")
    store.apply([Erase("z")])
    syncer.catch_up(store.revision)
    assert set(slots_in(syncer)) == {("Ruritania", "king")}
    assert len(syncer.index) == 1
    assert syncer.mentions.find("Who rules the Land of Mirrors, and who Zembla?") == []
    assert erased == ["z"]
    held = repr(
        [syncer._entries, syncer._ids, syncer._slots_of_fact, syncer._slots_of_subject,
         syncer._names, syncer._encoded, syncer._unborne, syncer._unindexed]
    )  # fmt: skip
    for word in ("Zembla", "Mirrors", "regent"):
        assert word not in held
    assert key_of("Zembla") not in syncer.encoder._recent


def test_names_that_another_fact_bears_outlive_an_erasure(
    store: MemoryStore, syncer: Syncer
) -> None:
    store.apply([Add("Zembla", "king", "Charles", id="z"), Add("Zembla", "flag", "red")])
    store.apply([Add("Ruritania", "king", "Rudolf")])
    syncer.catch_up(store.revision)
    store.apply([Erase("z")])
    syncer.catch_up(store.revision)
    assert set(slots_in(syncer)) == {("Zembla", "flag"), ("Ruritania", "king")}
    assert syncer.mentions.find("What is the flag of Zembla?")
    assert {key_of("Zembla"), key_of("king")} <= set(syncer.encoder._recent)


def test_a_corrected_subject_is_found_at_old_and_new_revisions(
    store: MemoryStore, syncer: Syncer
) -> None:
    store.apply([Add("Zembla", "king", "Charles", id="z")])
    store.apply([Correct("z", {"subject": "Ruritania"})])
    syncer.catch_up(store.revision)
    assert set(slots_in(syncer)) == {("Zembla", "king"), ("Ruritania", "king")}
    with store.snapshot(revision=1) as before, store.snapshot() as now:
        slots = list(slots_in(syncer))
        assert list(before.slots(slots)) == [("Zembla", "king")]
        assert list(now.slots(slots)) == [("Ruritania", "king")]
    store.apply([Erase("z")])
    syncer.catch_up(store.revision)
    assert slots_in(syncer) == {}
    assert len(syncer.index) == 0


def test_a_retracted_fact_keeps_its_slot_because_it_was_believed_once(
    store: MemoryStore, syncer: Syncer
) -> None:
    store.apply([Add("Zembla", "king", "Charles", id="z")])
    store.apply([Retract("z")])
    syncer.catch_up(store.revision)
    assert set(slots_in(syncer)) == {("Zembla", "king")}


def test_an_alias_older_than_the_first_fact_of_its_entity_counts(
    store: MemoryStore, syncer: Syncer
) -> None:
    store.apply([Add("Charles", "rules", "Zembla", object_aliases=("Land of Mirrors",))])
    syncer.catch_up(store.revision)
    assert syncer.mentions.find("Who rules the Land of Mirrors?") == []  # leads to no slot yet
    store.apply([Add("Zembla", "flag", "red")])
    store.apply([SetAliases("Zembla", ("Nova Zembla",))])
    syncer.catch_up(store.revision)
    for name in ("Land of Mirrors", "Nova Zembla"):
        (mention,) = syncer.mentions.find(f"Who rules the {name} now?")
        assert mention.entity == "Zembla"


def test_names_of_a_merged_entity_lead_to_its_target_and_its_own_to_its_past(
    store: MemoryStore, syncer: Syncer
) -> None:
    store.apply([Add("Zembla", "king", "Charles", aliases=("Land of Mirrors",))])
    store.apply([Add("Nova Zembla", "flag", "red"), MergeEntities("Zembla", "Nova Zembla")])
    syncer.catch_up(store.revision)
    found = {mention.entity for mention in syncer.mentions.find("Who rules the Land of Mirrors?")}
    assert found == {"Nova Zembla"}
    assert {"Zembla", "Nova Zembla"} == {
        mention.entity for mention in syncer.mentions.find("Who rules Zembla ?")
    }
    with store.snapshot(revision=1) as before, store.snapshot() as now:
        slots = list(slots_in(syncer))
        assert list(before.slots(slots)) == [("Zembla", "king")]
        assert set(now.slots(slots)) == {("Nova Zembla", "king"), ("Nova Zembla", "flag")}


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_what_was_compacted_is_made_up_for_by_the_facts_at_the_horizon(data: st.DataObject) -> None:
    store, erased = MemoryStore(), list[str]()
    behind = syncer_of(store, on_erase=erased.extend)
    for _ in range(data.draw(st.integers(2, 8))):
        with suppress(GraphError):
            store.apply(data.draw(batches([fact.id for fact in store.snapshot().facts()])))
        if data.draw(st.booleans()):
            behind.catch_up(store.revision)
    known = set(behind._slots_of_fact)
    store.compact(data.draw(st.integers(0, store.revision)))
    fresh = syncer_of(store)
    for syncer in (fresh, behind):
        syncer.catch_up(store.revision)
        assert syncer.watermark == store.revision
    check_against_store(fresh, store)
    # Who followed the past keeps its slots, which do no harm, but nothing that is erased.
    assert set(slots_in(fresh)) <= set(slots_in(behind))
    assert mentioned(fresh) <= mentioned(behind)
    assert set(behind._slots_of_fact) == set(fresh._slots_of_fact)
    assert known - set(behind._slots_of_fact) <= set(erased)


def test_catching_up_to_a_revision_that_is_there_asks_the_store_for_nothing(
    store: MemoryStore, syncer: Syncer
) -> None:
    store.apply([Add("Zembla", "king", "Charles")])
    syncer.catch_up(store.revision)
    store.close()
    syncer.catch_up(1)
    with pytest.raises(GraphError):
        syncer.catch_up(2)


def test_progress_counts_the_names_that_have_to_be_encoded(store: MemoryStore) -> None:
    store.apply([Add(f"Country {n}", "king", "Rudolf") for n in range(9)])
    seen: list[tuple[int, int]] = []
    syncer_of(store).catch_up(store.revision, lambda done, total: seen.append((done, total)))
    assert seen == [(10, 10)]


class Flaky(HashEncoder):
    """An encoder that fails as long as it is told to."""

    def __init__(self) -> None:
        super().__init__(DIM)
        self.broken = False

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        if self.broken:
            raise RuntimeError("the encoder broke down")
        return super().encode(texts, progress)


def test_what_a_failing_encoder_left_undone_is_done_at_the_next_attempt(store: MemoryStore) -> None:
    flaky = Flaky()
    syncer = Syncer(store, CachedEncoder(flaky), index=ExactIndex(DIM))
    store.apply([Add("Zembla", "king", "Charles", id="z")])
    syncer.catch_up(store.revision)
    flaky.broken = True
    store.apply([Add("Ruritania", "duke", "Michael", aliases=("Rura",)), Erase("z")])
    for _ in range(2):
        with pytest.raises(RuntimeError):
            syncer.catch_up(store.revision)
    assert syncer.watermark == 1
    assert key_of("Zembla") not in syncer.encoder._recent  # erasure waits for no encoder
    flaky.broken = False
    syncer.catch_up(store.revision)
    check_against_store(syncer, store)


def test_an_erasure_that_the_cache_could_not_follow_is_tried_again(store: MemoryStore) -> None:
    class Stuck(CachedEncoder):
        stuck = True

        def forget(self, texts: Sequence[str]) -> None:
            if self.stuck:
                raise OSError("the disk is full")
            super().forget(texts)

    cache = Stuck(HashEncoder(DIM))
    syncer = Syncer(store, cache, index=ExactIndex(DIM))
    store.apply([Add("Zembla", "king", "Charles", id="z")])
    syncer.catch_up(store.revision)
    store.apply([Erase("z")])
    with pytest.raises(OSError, match="full"):
        syncer.catch_up(store.revision)
    cache.stuck = False
    syncer.catch_up(store.revision)
    check_against_store(syncer, store)


def test_the_vectors_of_erased_names_leave_the_file(store: MemoryStore, tmp_path: Path) -> None:
    path = tmp_path / "vectors.db"
    cache = CachedEncoder(HashEncoder(DIM), path)
    syncer = Syncer(store, cache, index=ExactIndex(DIM))
    store.apply([Add("Zembla", "regent", "Charles", id="z"), Add("Ruritania", "king", "Rudolf")])
    syncer.catch_up(store.revision)
    vector = cache._recent[key_of("Zembla")].tobytes()
    assert vector in path.read_bytes()
    store.apply([Erase("z")])
    syncer.catch_up(store.revision)
    cache.close()
    assert vector not in path.read_bytes()
    assert key_of("Zembla") not in path.read_bytes()
    assert key_of("Ruritania") in path.read_bytes()
