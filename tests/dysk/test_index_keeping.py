"""The index on disk: taken up where the feed agrees with it, made anew in any doubt, and without a
trace of what is erased.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dysk.retrieval import index_file
from dysk.retrieval.coarse import FaissIndex, IndexState
from dysk.retrieval.encoder import CachedEncoder, HashEncoder, Progress, Vectors
from dysk.sync import Syncer
from graph import Add, Command, Erase, FactStore, GraphError, MemoryStore
from tests.dysk.test_sync import DIM, check_against_store, mentioned, slots_in
from tests.dysk.test_sync_following import eventually
from tests.graph.strategies import batches


class Counting(HashEncoder):
    """An encoder that remembers what it was asked."""

    def __init__(self, dim: int = DIM) -> None:
        super().__init__(dim)
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        self.texts += texts
        return super().encode(texts, progress)


def kept(store: FactStore, folder: Path, encoder: HashEncoder | None = None) -> Syncer:
    """A syncer that keeps its index in a folder, and goes on from what is there."""
    cache = CachedEncoder(encoder or Counting())
    return Syncer(store, cache, index=FaissIndex(cache.dim), folder=folder, kept_from=1)


def taken_up(syncer: Syncer) -> bool:
    """Whether the index came from disk: nothing had to be encoded for it."""
    encoder = syncer.encoder.encoder
    assert isinstance(encoder, Counting)
    return not encoder.texts


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.apply([Add("Zembla", "king", "Charles", id="z", aliases=("Land of Mirrors",))])
    store.apply([Add("Ruritania", "king", "Rudolf")])
    return store


def write(store: FactStore, folder: Path) -> Path:
    """Index the store and keep it."""
    syncer = kept(store, folder)
    syncer.catch_up(store.revision)
    syncer.close()
    path = folder / index_file.NAME
    assert path.is_file()
    return path


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_going_on_from_disk_gives_the_state_that_replaying_from_0_gives(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder, store = tmp_path_factory.mktemp("graph"), MemoryStore()
    for _ in range(data.draw(st.integers(1, 6))):
        with suppress(GraphError):
            store.apply(data.draw(batches([fact.id for fact in store.snapshot().facts()])))
        if data.draw(st.booleans()):
            syncer = kept(store, folder, HashEncoder(DIM))
            syncer.catch_up(store.revision)
            syncer.close()
    went_on = kept(store, folder, HashEncoder(DIM))
    went_on.catch_up(store.revision)
    replayed = Syncer(store, CachedEncoder(HashEncoder(DIM)), index=FaissIndex(DIM))
    replayed.catch_up(store.revision)
    assert set(slots_in(went_on)) == set(slots_in(replayed))
    assert mentioned(went_on) == mentioned(replayed)
    assert went_on._names == replayed._names
    assert went_on._slots_of_fact.keys() == replayed._slots_of_fact.keys()
    assert +went_on._encoded == +replayed._encoded
    assert sorted(went_on.relations()) == sorted(replayed.relations())
    assert len(went_on.index) == len(replayed.index)


def test_a_start_encodes_nothing_and_goes_on_with_the_feed(
    store: MemoryStore, tmp_path: Path
) -> None:
    write(store, tmp_path)
    started = kept(store, tmp_path)
    started.catch_up(store.revision)
    assert taken_up(started)
    store.apply([Add("Borduria", "marshal", "Kurvi")])
    started.catch_up(store.revision)
    assert set(slots_in(started)) == {
        ("Zembla", "king"),
        ("Ruritania", "king"),
        ("Borduria", "marshal"),
    }
    (mention,) = started.mentions.find("Who rules the Land of Mirrors?")
    assert mention.entity == "Zembla"


def test_lists_that_were_trained_are_taken_up_as_they_are(tmp_path: Path) -> None:
    store = MemoryStore()
    store.apply([Add(f"Country {n} of {n % 7}", "king", "Rudolf") for n in range(300)])
    cache = CachedEncoder(HashEncoder(DIM))
    index = FaissIndex(DIM, exact_up_to=99)
    first = Syncer(store, cache, index=index, folder=tmp_path, kept_from=1)
    first.catch_up(store.revision)
    index.settle()
    assert not index.is_exact
    assert first.keep()
    second = kept(store, tmp_path)
    second.catch_up(store.revision)
    assert taken_up(second)
    queries = cache.encode(["Country 7 of 0", "Country 200 of 4"])
    assert index.search(queries, 5)[0].tolist() == second.index.search(queries, 5)[0].tolist()
    store.apply([Erase(next(store.snapshot().facts(subject="Country 7 of 0")).id)])
    second.catch_up(store.revision)
    assert len(second.index) == 299
    check_entries(second, store)


def keep_while(
    monkeypatch: pytest.MonkeyPatch, folder: Path, commands: Sequence[Command]
) -> tuple[MemoryStore, Syncer, bool]:
    """An index in inverted lists, kept while these commands are applied and followed; was it?"""
    store = MemoryStore()
    store.apply([Add(f"Country {n}", "king", "Rudolf", id=f"c{n}") for n in range(150)])
    index = FaissIndex(DIM, exact_up_to=99)
    cache = CachedEncoder(HashEncoder(DIM))
    syncer = Syncer(store, cache, index=index, folder=folder, kept_from=1)
    syncer.catch_up(store.revision)
    index.settle()
    copied = FaissIndex.state

    def changed_meanwhile(index: FaissIndex) -> IndexState:
        store.apply(commands)
        syncer.catch_up(store.revision)
        return copied(index)

    monkeypatch.setattr(FaissIndex, "state", changed_meanwhile)
    return store, syncer, syncer.keep()


def test_what_is_added_while_the_file_is_made_is_taken_from_the_feed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer does not wait for the copy of the vectors; the file is as of the revision before."""
    islands = [Add(f"Island {n}", "king", "Rudolf") for n in range(20)]
    store, first, was_kept = keep_while(monkeypatch, tmp_path, islands)
    assert was_kept
    second = kept(store, tmp_path)
    second.catch_up(store.revision)
    asked = second.encoder.encoder
    assert isinstance(asked, Counting)
    assert {text for text in asked.texts if "Country" in text} == set()
    assert set(slots_in(second)) == set(slots_in(first))
    assert len(second.index) == 170


def test_an_erasure_while_the_file_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, _, was_kept = keep_while(monkeypatch, tmp_path, [Erase("c7")])
    assert not was_kept
    assert list(tmp_path.iterdir()) == []


def check_entries(syncer: Syncer, store: FactStore) -> None:
    subjects = {fact.subject for fact in store.snapshot().facts()}
    assert {subject for subject, _ in slots_in(syncer)} == subjects


# -- doubt ----------------------------------------------------------------------------------------


def test_another_encoder_makes_the_index_anew(store: MemoryStore, tmp_path: Path) -> None:
    write(store, tmp_path)
    other = kept(store, tmp_path, Counting(2 * DIM))
    other.catch_up(store.revision)
    assert not taken_up(other)


def test_another_history_at_the_same_revision_makes_the_index_anew(
    store: MemoryStore, tmp_path: Path
) -> None:
    write(store, tmp_path)
    other = MemoryStore()
    other.apply([Add("Borduria", "marshal", "Kurvi")])
    other.apply([Add("Syldavia", "king", "Muskar")])
    started = kept(other, tmp_path)
    started.catch_up(other.revision)
    assert set(slots_in(started)) == {("Borduria", "marshal"), ("Syldavia", "king")}


def test_a_graph_that_went_back_makes_the_index_anew(store: MemoryStore, tmp_path: Path) -> None:
    write(store, tmp_path)
    restored = MemoryStore()
    restored.apply([Add("Zembla", "king", "Charles", id="z", aliases=("Land of Mirrors",))])
    started = kept(restored, tmp_path)
    started.catch_up(restored.revision)
    assert set(slots_in(started)) == {("Zembla", "king")}


def test_a_compaction_since_makes_the_index_anew(store: MemoryStore, tmp_path: Path) -> None:
    write(store, tmp_path)
    store.compact(1)
    started = kept(store, tmp_path)
    started.catch_up(store.revision)
    assert not taken_up(started)


@pytest.mark.parametrize("damage", [lambda b: b[:-30], lambda b: b"", lambda b: b"\0" * len(b)])
def test_a_damaged_file_makes_the_index_anew(
    store: MemoryStore, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = write(store, tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    started = kept(store, tmp_path)
    started.catch_up(store.revision)
    assert not taken_up(started)
    check_against_store(started, store)
    assert not path.exists()


# -- erasure --------------------------------------------------------------------------------------


def test_an_erasure_while_the_index_follows_drops_the_file_and_writes_it_without_the_fact(
    store: MemoryStore, tmp_path: Path
) -> None:
    path = write(store, tmp_path)
    assert b"Land of Mirrors" in path.read_bytes()
    syncer = kept(store, tmp_path)
    syncer.catch_up(store.revision)
    store.apply([Erase("z")])
    syncer.catch_up(store.revision)
    assert not path.exists()
    syncer.close()
    content = path.read_bytes()
    assert b"Ruritania" in content
    assert not [name for name in (b"Zembla", b"Mirrors", b"mirrors", b"zembla") if name in content]


def test_an_erasure_while_nobody_followed_is_noticed_at_the_next_start(
    store: MemoryStore, tmp_path: Path
) -> None:
    path = write(store, tmp_path)
    store.apply([Erase("z")])
    started = kept(store, tmp_path)
    started.catch_up(store.revision)
    assert not path.exists()
    assert set(slots_in(started)) == {("Ruritania", "king")}


def test_a_file_that_is_finished_after_an_erasure_does_not_stay(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erasure comes while the file is written, and its own drop before the file is there."""
    syncer = kept(store, tmp_path)
    syncer.catch_up(store.revision)
    written = index_file.write

    def erased_meanwhile(path: Path, columns: dict[str, index_file.Column]) -> None:
        store.apply([Erase("z")])
        index_file.drop(tmp_path)
        written(path, columns)

    monkeypatch.setattr(index_file, "write", erased_meanwhile)
    assert not syncer.keep()
    assert list(tmp_path.iterdir()) == []


# -- when it is written ---------------------------------------------------------------------------


def test_a_follower_keeps_the_index_by_itself_after_many_changes(tmp_path: Path) -> None:
    store = MemoryStore()
    syncer = kept(store, tmp_path)
    syncer.follow()
    try:
        store.apply([Add(f"Country {n}", "king", "Rudolf") for n in range(20)])
        assert eventually((tmp_path / index_file.NAME).is_file)
    finally:
        syncer.close()


def test_a_small_index_is_not_kept(store: MemoryStore, tmp_path: Path) -> None:
    syncer = Syncer(store, CachedEncoder(HashEncoder(DIM)), folder=tmp_path)
    syncer.catch_up(store.revision)
    syncer.close()
    assert list(tmp_path.iterdir()) == []


def test_a_start_without_changes_writes_nothing(store: MemoryStore, tmp_path: Path) -> None:
    path = write(store, tmp_path)
    before = path.stat().st_mtime_ns, path.stat().st_ino
    started = kept(store, tmp_path)
    started.catch_up(store.revision)
    started.close()
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_a_folder_that_cannot_be_written_harms_nobody(store: MemoryStore, tmp_path: Path) -> None:
    syncer = kept(store, tmp_path / "missing")
    syncer.catch_up(store.revision)
    assert not syncer.keep()
    syncer.close()
    check_against_store(syncer, store)
