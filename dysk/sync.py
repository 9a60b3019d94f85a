"""The one writer of the coarse index: follows a store's change feed up to a watermark.

Slots, keys and mentions are a pure function of the feed: replaying it from 0 gives the same state.
The index knows *which* (subject, relation) pairs exist, never what holds in them: that is always
read from the snapshot that an ask has pinned, so an index that is ahead of it does no harm and one
that is behind is first brought up.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from dysk.retrieval.coarse import CoarseIndex, FaissIndex
from dysk.retrieval.encoder import CachedEncoder
from dysk.retrieval.keys import slot_keys
from dysk.retrieval.mentions import MentionFinder, MentionIndex
from dysk.retrieval.verbalize import spell_out
from graph.store import Change, FactStore

Slot = tuple[str, str]
"""(subject, relation)."""
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class _SlotEntry:
    slot: Slot
    facts: int = 0


class Syncer:
    """Keeps index and mentions of one graph in step with its store. Thread-safe."""

    def __init__(
        self,
        store: FactStore,
        encoder: CachedEncoder,
        *,
        index: CoarseIndex | None = None,
        on_erase: Callable[[list[str]], object] | None = None,
    ) -> None:
        self._store = store
        self._encoder = encoder
        self.index: CoarseIndex = index if index is not None else FaissIndex(encoder.dim)
        self._on_erase = on_erase
        self._entries: dict[int, _SlotEntry] = {}
        self._ids: dict[Slot, int] = {}
        self._slots_of_fact: dict[str, tuple[int, ...]] = {}
        self._slots_of_subject: defaultdict[str, set[int]] = defaultdict(set)
        self._aliases: defaultdict[str, set[str]] = defaultdict(set)
        self._encoded: Counter[str] = Counter()
        self.mentions: MentionFinder = MentionIndex()
        self._next_id = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.watermark = 0
        self.failure: Exception | None = None

    def catch_up(self, revision: int, progress: Progress | None = None) -> None:
        """Apply the feed until ``watermark >= revision``; returns at once when it is there."""
        if self.watermark >= revision:
            return
        with self._lock:
            while self.watermark < revision:
                commits = self._store.changes(self.watermark)
                if not commits:
                    return
                self._apply((change for commit in commits for change in commit.changes), progress)
                self.watermark = commits[-1].revision

    def slots(self, ids: Iterable[int]) -> list[Slot | None]:
        """The pairs behind slot ids; None for one that is gone."""
        return [entry.slot if (entry := self._entries.get(i)) else None for i in ids]

    def slots_of(self, subject: str) -> list[int]:
        """Ids of the slots of a subject."""
        return sorted(self._slots_of_subject.get(subject, ()))

    def follow(self) -> None:
        """Catch up in a background thread from now on, so that asks find the index ready."""
        self._thread = threading.Thread(target=self._follow, name="dysk-sync", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                if self._store.wait(self.watermark, timeout=0.5) and not self._stop.is_set():
                    self.catch_up(self._store.revision)
                self.failure = None
            except Exception as error:  # the next ask meets the same error and reports it
                self.failure = error
                self._stop.wait(1.0)

    def _apply(self, changes: Iterable[Change], progress: Progress | None) -> None:
        added: dict[int, Slot] = {}
        erased: list[str] = []
        for change in changes:
            if change.kind == "erase" and change.fact_id is not None:
                self._leave(change.fact_id, added)
                erased.append(change.fact_id)
            elif change.kind == "alias" and change.entity is not None:
                for alias in change.aliases:
                    self._aliases[change.entity].add(alias)
                    self.mentions.add(change.entity, alias)
            elif change.after is not None:
                self._enter(change.after.id, (change.after.subject, change.after.relation), added)
        if added:
            keys = slot_keys(self._encoder, list(added.values()), progress)
            self.index.add(np.fromiter(added, dtype=np.int64), keys)
        if erased and self._on_erase is not None:
            self._on_erase(erased)

    def _enter(self, fact_id: str, slot: Slot, added: dict[int, Slot]) -> None:
        slot_id = self._ids.get(slot)
        if slot_id is None:
            slot_id = self._ids[slot] = self._next_id
            self._next_id += 1
            self._entries[slot_id] = _SlotEntry(slot)
            self._encoded.update(_encoded_names(slot))
            added[slot_id] = slot
            self.mentions.add(slot[0], slot[0])
            self._slots_of_subject[slot[0]].add(slot_id)
        known = self._slots_of_fact.get(fact_id, ())
        if slot_id not in known:
            # A corrected fact stays in its old slot as well: older revisions find it there.
            self._slots_of_fact[fact_id] = (*known, slot_id)
            self._entries[slot_id].facts += 1

    def _leave(self, fact_id: str, added: dict[int, Slot]) -> None:
        for slot_id in self._slots_of_fact.pop(fact_id, ()):
            entry = self._entries[slot_id]
            entry.facts -= 1
            if entry.facts == 0:
                del self._entries[slot_id], self._ids[entry.slot]
                self._unname(entry.slot[0], slot_id)
                if added.pop(slot_id, None) is None:
                    self.index.remove(np.array([slot_id], dtype=np.int64))
                self._forget(entry.slot)

    def _unname(self, subject: str, slot_id: int) -> None:
        """Without a slot left, a subject and its aliases are no longer found in questions."""
        remaining = self._slots_of_subject[subject]
        remaining.discard(slot_id)
        if not remaining:
            del self._slots_of_subject[subject]
            for name in {subject, *self._aliases.pop(subject, ())}:
                self.mentions.remove(subject, name)

    def _forget(self, slot: Slot) -> None:
        """Drop cached vectors of names that no slot bears any more."""
        names = _encoded_names(slot)
        self._encoded.subtract(names)
        self._encoder.forget([name for name in names if self._encoded[name] <= 0])


def _encoded_names(slot: Slot) -> tuple[str, str]:
    """The texts that a slot's key is composed of."""
    return slot[0], spell_out(slot[1])
