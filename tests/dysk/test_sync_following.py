"""A syncer that follows its store in the background: it keeps up, fails visibly, and ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from dysk.retrieval.coarse import FaissIndex
from dysk.retrieval.encoder import CachedEncoder
from dysk.retrieval.exact import ExactIndex
from dysk.sync import Syncer
from graph import Add, MemoryStore
from tests.dysk.test_sync import DIM, Flaky, check_against_store, store, syncer_of

__all__ = ["store"]


def eventually(holds: Callable[[], object], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def followers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "dysk-sync"}


def test_a_follower_catches_up_by_itself_and_ends_with_close(store: MemoryStore) -> None:
    before = followers()  # of workspaces that tests share
    syncer = syncer_of(store)
    syncer.follow()
    syncer.follow()
    assert len(followers() - before) == 1
    store.apply([Add("Zembla", "king", "Charles")])
    assert eventually(lambda: syncer.watermark == 1)
    syncer.close()
    syncer.close()
    assert followers() == before
    syncer.follow()
    assert followers() == before


def test_a_follower_records_a_failure_and_recovers_from_it(store: MemoryStore) -> None:
    flaky = Flaky()
    flaky.broken = True
    syncer = Syncer(store, CachedEncoder(flaky), index=ExactIndex(DIM))
    syncer.follow()
    try:
        store.apply([Add("Zembla", "king", "Charles")])
        assert eventually(lambda: syncer.failure is not None)
        assert "broke down" in str(syncer.failure)
        flaky.broken = False
        assert eventually(lambda: syncer.failure is None and syncer.watermark == 1)
    finally:
        syncer.close()


def test_a_closed_store_does_not_keep_a_follower_from_ending(store: MemoryStore) -> None:
    before = followers()
    syncer = syncer_of(store)
    syncer.follow()
    store.close()
    assert eventually(lambda: syncer.failure is not None)
    syncer.close()
    assert followers() == before


def test_catching_up_from_many_threads_indexes_every_slot_once(store: MemoryStore) -> None:
    syncer = syncer_of(store, FaissIndex)
    syncer.follow()
    failures: list[BaseException] = []

    def write_and_catch_up(first: int) -> None:
        try:
            for n in range(first, first + 20):
                receipt = store.apply([Add(f"Country {n}", "king", "Rudolf")])
                syncer.catch_up(receipt.revision)
                assert syncer.slots_of(f"Country {n}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write_and_catch_up, args=(100 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    syncer.close()
    assert failures == []
    assert len(syncer.index) == 80
    check_against_store(syncer, store)
