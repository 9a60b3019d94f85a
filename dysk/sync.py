"""The one writer of the coarse index: follows a store's change feed up to a watermark.

Slots, keys and mentions are a pure function of the feed: replaying it from 0 gives the same state.
The index knows *which* (subject, relation) pairs exist, never what holds in them: that is always
read from the snapshot that an ask has pinned, so an index that is ahead of it does no harm and one
that is behind is first brought up.

Given a folder, the syncer keeps all of it on disk as well, and a start goes on from there.
"""

from __future__ import annotations

import gc
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from dysk.index_columns import Frozen
from dysk.index_keeping import IndexKeeper
from dysk.retrieval.coarse import CoarseIndex, FaissIndex, IndexState
from dysk.retrieval.encoder import CachedEncoder
from dysk.retrieval.index_file import grouped
from dysk.retrieval.keys import slot_keys
from dysk.retrieval.mentions import MentionIndex
from dysk.retrieval.verbalize import spell_out
from graph.errors import HistoryCompacted
from graph.store import Change, FactStore

Slot = tuple[str, str]
"""(subject, relation)."""
Progress = Callable[[int, int], None]

KEPT_FROM = 1_000
"""Slots from which the index is kept on disk: a smaller one is made as fast as it is read."""
_KEPT_AGAIN = 0.1


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
        folder: Path | None = None,
        kept_from: int = KEPT_FROM,
    ) -> None:
        """``folder`` is where the index is kept, beyond ``kept_from`` slots; only a FaissIndex
        is.
        """
        self._store = store
        self.encoder = encoder
        self.index: CoarseIndex = index if index is not None else FaissIndex(encoder.dim)
        self._on_erase = on_erase
        self._entries: dict[int, _SlotEntry] = {}
        self._ids: dict[Slot, int] = {}
        self._slots_of_fact: dict[str, tuple[int, ...]] = {}
        self._slots_of_subject: defaultdict[str, set[int]] = defaultdict(set)
        self._slots_of_relation: Counter[str] = Counter()
        self._names: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
        self._encoded: Counter[str] = Counter()
        self.mentions = MentionIndex()
        self._next_id = 0
        # What the entries above have and index and caches do not yet: kept when a step fails, so
        # that the next attempt, which finds nothing new in the feed, takes it up.
        self._unindexed: dict[int, Slot] = {}
        self._unborne: set[str] = set()
        self._kept: tuple[IndexKeeper, FaissIndex] | None = None
        if folder is not None and isinstance(self.index, FaissIndex):
            self._kept = IndexKeeper(folder, store, encoder.fingerprint), self.index
        self._kept_from = kept_from
        self._changes_unkept = 0
        self._is_new = True
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
            if self._is_new:
                self._is_new = False
                self._take_up()
            while self.watermark < revision:
                try:
                    commits = self._store.changes(self.watermark)
                except HistoryCompacted:
                    with suppress(HistoryCompacted):  # the horizon moved on: once more
                        self._start_at_the_horizon(progress)
                    continue
                if not commits:
                    return
                self._apply([change for commit in commits for change in commit.changes], progress)
                self.watermark = commits[-1].revision

    def slots(self, ids: Iterable[int]) -> list[Slot | None]:
        """The pairs behind slot ids; None for one that is gone."""
        return [entry.slot if (entry := self._entries.get(i)) else None for i in ids]

    def slots_of(self, subject: str) -> list[int]:
        """Ids of the slots of a subject."""
        return sorted(self._slots_of_subject.get(subject, ()))

    def relations(self) -> list[str]:
        """Relations of which there are slots, in order of their first one."""
        return [name for name, slots in list(self._slots_of_relation.items()) if slots]

    def follow(self) -> None:
        """Catch up in a background thread from now on, so that asks find the index ready."""
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._follow, name="dysk-sync", daemon=True)
                self._thread.start()

    def keep(self) -> bool:
        """Write index and names to disk now; False where nothing is kept of them. Asks go on."""
        if self._kept is None or len(self._entries) < self._kept_from:
            return False
        keeper, index = self._kept
        with self._lock:
            if self._unindexed:
                return False
            with _without_gc():
                frozen = self._frozen()
            self._changes_unkept = 0
        # A slot's vector never changes, so it may be copied later; only an erasure takes it away.
        ids = np.fromiter(frozen.slots.values(), np.int64, len(frozen.slots))
        vectors = index.state().of(ids)
        return len(vectors.ids) == len(ids) and keeper.save(
            frozen.revision, frozen.columns(vectors)
        )

    def close(self) -> None:
        """Stop following, and keep on disk what has changed."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        if self._changes_unkept:
            self.keep()

    def _follow(self) -> None:
        while not self._stop.is_set():
            try:
                if self._store.wait(self.watermark, timeout=0.5) and not self._stop.is_set():
                    self.catch_up(self._store.revision)
                elif self._changes_unkept > max(self._kept_from, _KEPT_AGAIN * len(self._entries)):
                    self.keep()
                self.failure = None
            except Exception as error:  # the next ask meets the same error and reports it
                self.failure = error
                self._stop.wait(1.0)

    def _apply(self, changes: list[Change], progress: Progress | None) -> None:
        erased = [change.fact_id for change in changes if change.kind == "erase"]
        self._changes_unkept += len(changes)
        with self._store.snapshot() as latest:
            for change in changes:
                if change.kind == "erase" and change.fact_id is not None:
                    self._leave(change.fact_id)
                elif change.entity is not None and change.kind == "merge":
                    # Its other names lead to the target now; its own still leads to its past, too.
                    if change.entity in self._slots_of_subject:
                        self._set_names(change.entity, {change.entity})
                elif change.entity is not None:
                    if change.entity in self._slots_of_subject:
                        self._name(change.entity, change.aliases)
                elif change.after is not None:
                    fact = change.after
                    if fact.subject not in self._slots_of_subject:
                        # Aliases may be older than the first fact that has the entity as subject.
                        self._name(fact.subject, (fact.subject, *latest.aliases(fact.subject)))
                    self._enter(fact.id, (fact.subject, fact.relation))
        # Erasure first: it must not wait for an encoder that fails.
        self._tell_erased([fact_id for fact_id in erased if fact_id is not None])
        self._reach_index(progress)

    def _start_at_the_horizon(self, progress: Progress | None) -> None:
        """Take the facts of the earliest revision that is left for the feed that led to it."""
        present = set()
        with self._store.snapshot(revision=self._store.horizon) as start:
            for fact in chain(start.facts(), start.facts(status="retracted")):
                present.add(fact.id)
                self._enter(fact.id, (fact.subject, fact.relation))
            for subject in list(self._slots_of_subject):
                self._set_names(subject, {subject, *start.aliases(subject)})
        # What was erased after the watermark: the feed would have told.
        erased = [fact_id for fact_id in self._slots_of_fact if fact_id not in present]
        self._tell_erased(erased)
        for fact_id in erased:
            self._leave(fact_id)
        self._reach_index(progress)
        self.watermark = start.revision

    def _tell_erased(self, fact_ids: list[str]) -> None:
        if fact_ids and self._kept is not None:
            self._kept[0].drop()
            self._changes_unkept += len(self._entries) + self._kept_from
        if fact_ids and self._on_erase is not None:
            self._on_erase(fact_ids)

    def _reach_index(self, progress: Progress | None) -> None:
        """Bring index and caches to where the entries are."""
        self._forget()
        if self._unindexed:
            keys = slot_keys(self.encoder, list(self._unindexed.values()), progress)
            self.index.add(np.fromiter(self._unindexed, dtype=np.int64), keys)
            self._unindexed.clear()

    def _enter(self, fact_id: str, slot: Slot) -> None:
        slot_id = self._ids.get(slot)
        if slot_id is None:
            slot_id = self._ids[slot] = self._next_id
            self._next_id += 1
            self._entries[slot_id] = _SlotEntry(slot)
            self._slots_of_relation[slot[1]] += 1
            self._encoded.update(_encoded_names(slot))
            self._unindexed[slot_id] = slot
            self._slots_of_subject[slot[0]].add(slot_id)
        known = self._slots_of_fact.get(fact_id, ())
        if slot_id not in known:
            # A corrected fact stays in its old slot as well: older revisions find it there.
            self._slots_of_fact[fact_id] = (*known, slot_id)
            self._entries[slot_id].facts += 1

    def _leave(self, fact_id: str) -> None:
        for slot_id in self._slots_of_fact.pop(fact_id, ()):
            entry = self._entries[slot_id]
            entry.facts -= 1
            if entry.facts == 0:
                del self._entries[slot_id], self._ids[entry.slot]
                self._slots_of_relation[entry.slot[1]] -= 1
                if self._unindexed.pop(slot_id, None) is None:
                    self.index.remove(np.array([slot_id], dtype=np.int64))
                self._unname(entry.slot[0], slot_id)
                for name in _encoded_names(entry.slot):
                    self._encoded[name] -= 1
                    self._unborne.add(name)

    def _take_up(self) -> None:
        """Begin with what is kept on disk, where that can be trusted."""
        if self._kept is None:
            return
        keeper, index = self._kept
        loaded = keeper.load()
        if loaded is None:
            return
        with _without_gc():
            self._restore(index, loaded[1])
        self.watermark = loaded[0]

    def _frozen(self) -> Frozen:
        return Frozen(
            revision=self.watermark,
            next_id=self._next_id,
            slots=self._ids.copy(),
            relations=list(self._slots_of_relation),
            slots_of_fact=self._slots_of_fact.copy(),
            names=self._names.copy(),
            mentions=self.mentions.copy(),
        )

    def _restore(self, index: FaissIndex, columns: dict[str, Any]) -> None:
        """Become what ``columns``, made of a ``Frozen``, say."""
        subjects, relations = columns["subjects"], columns["relations"]
        rebuild_at, self._next_id = columns["numbers"].tolist()
        index.restore(
            IndexState(
                columns["shell"],
                columns["list_sizes"],
                columns["vector_ids"],
                columns["codes"],
                rebuild_at,
            )
        )
        self._slots_of_relation = Counter(dict.fromkeys(relations, 0))
        for slot_id, subject, relation in zip(
            columns["slots"].tolist(),
            columns["slot_subjects"].tolist(),
            columns["slot_relations"].tolist(),
            strict=True,
        ):
            slot = subjects[subject], relations[relation]
            self._entries[slot_id] = _SlotEntry(slot)
            self._ids[slot] = slot_id
            self._slots_of_subject[slot[0]].add(slot_id)
            self._slots_of_relation[slot[1]] += 1
        self._encoded = Counter(
            chain.from_iterable(_encoded_names(entry.slot) for entry in self._entries.values())
        )
        slots_of_facts = grouped(
            columns["fact_slots"].tolist(), columns["fact_slots_sizes"].tolist()
        )
        self._slots_of_fact = dict(zip(columns["facts"], slots_of_facts, strict=True))
        for slot_id in columns["fact_slots"].tolist():
            self._entries[slot_id].facts += 1
        names = grouped(columns["names"], columns["names_sizes"].tolist())
        self._names.update(zip(subjects, map(frozenset, names), strict=True))
        self.mentions.restore(columns)

    def _name(self, subject: str, names: Collection[str]) -> None:
        self._names[subject] |= frozenset(names)
        for name in names:
            self.mentions.add(subject, name)

    def _set_names(self, subject: str, names: set[str]) -> None:
        for name in self._names[subject] - names:
            self.mentions.remove(subject, name)
        self._names[subject] &= names
        self._name(subject, names)

    def _unname(self, subject: str, slot_id: int) -> None:
        """Without a slot left, a subject and its aliases are no longer found in questions."""
        remaining = self._slots_of_subject[subject]
        remaining.discard(slot_id)
        if not remaining:
            del self._slots_of_subject[subject]
            for name in self._names.pop(subject, ()):
                self.mentions.remove(subject, name)

    def _forget(self) -> None:
        """Drop cached vectors of names that no slot bears any more."""
        gone = [name for name in self._unborne if self._encoded[name] <= 0]
        if gone:
            self.encoder.forget(gone)
        for name in gone:
            del self._encoded[name]
        self._unborne.clear()


@contextmanager
def _without_gc() -> Iterator[None]:
    """Without the garbage collector, which would walk over millions of objects that all stay."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _encoded_names(slot: Slot) -> tuple[str, str]:
    """The texts that a slot's key is composed of."""
    return slot[0], spell_out(slot[1])
