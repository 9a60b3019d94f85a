"""What the memory store holds, in plain dicts and lists, and how a commit changes it."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from graph.bounds import check_revision
from graph.errors import StoreUnavailable
from graph.fact import Fact, Relation
from graph.state import Slot
from graph.store import Change, Commit, Compaction


@dataclass(slots=True)
class Records:
    """Every commit and version. Whoever reads or writes holds ``lock``."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    closed: bool = False
    horizon: int = 0
    """The earliest revision that is left, and when it was recorded; empty for revision 0."""
    horizon_recorded_at: str = ""
    commits: list[Commit] = field(default_factory=list)
    """Those after the horizon."""
    versions: dict[str, list[Fact]] = field(default_factory=dict)
    """Of each fact, in order of first recording. An erased fact has none left, only its id."""
    positions: dict[str, int] = field(default_factory=dict)
    """Each id's place in the order of first recording, from 1."""
    slots: defaultdict[Slot, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The facts that are, or once were, in a slot."""
    relations: dict[str, list[tuple[int, Relation]]] = field(default_factory=dict)
    """The settings of a relation, each with the revision that declared them."""
    aliases: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """The other names of an entity, each with the revision that gave it."""
    merged: dict[str, tuple[int, str]] = field(default_factory=dict)
    """What an entity was merged into, with the revision of the merge."""

    @property
    def revision(self) -> int:
        """The latest revision."""
        return self.horizon + len(self.commits)

    @property
    def recorded_at(self) -> str:
        """When the latest revision was recorded; empty for revision 0."""
        return self.commits[-1].recorded_at if self.commits else self.horizon_recorded_at

    def check_open(self) -> None:
        """Raise StoreUnavailable once the store is closed."""
        if self.closed:
            raise StoreUnavailable("the store is closed; open it again")

    def check_readable(self, revision: int) -> None:
        """Raise StoreUnavailable once closed, HistoryCompacted when the revision is not left."""
        self.check_open()
        check_revision(revision, self.horizon, self.revision)

    def persist(self, commit: Commit) -> None:
        """Apply a commit."""
        self.commits.append(commit)
        for change in commit.changes:
            if change.relation is not None:
                settings = self.relations.setdefault(change.relation.name, [])
                settings.append((commit.revision, change.relation))
            elif change.entity is not None and change.target is not None:
                self.merged[change.entity] = (commit.revision, change.target)
            elif change.entity is not None:
                names = self.aliases.setdefault(change.entity, [])
                names += [(commit.revision, alias) for alias in change.aliases]
            elif change.fact_id is not None:
                self._record(change.fact_id, change.after)
        # Last, so that what the same commit still names is not taken for an orphan.
        for change in commit.changes:
            if change.kind == "erase" and change.fact_id is not None:
                self._erase(change.fact_id)

    def compact(self, before: int) -> Compaction:
        """Forget what only revisions before this one need; it is between horizon and latest."""
        forgotten = 0
        for fact_id, versions in self.versions.items():
            replaced = _replaced([fact.revision for fact in versions], before)
            for fact in versions[:replaced]:
                self.slots[fact.subject, fact.relation].discard(fact_id)
            for fact in versions[replaced:]:
                self.slots[fact.subject, fact.relation].add(fact_id)
            forgotten += replaced
            del versions[:replaced]
        for settings in self.relations.values():
            del settings[: _replaced([revision for revision, _ in settings], before)]
        count = before - self.horizon
        if count:
            self.horizon_recorded_at = self.commits[count - 1].recorded_at
        self.commits = self.commits[count:]
        self.horizon = before
        return Compaction(before, forgotten, count)

    def current(self, fact_ids: Iterable[str], revision: int) -> Iterator[Fact]:
        """The version of each fact that is current at a revision, where it has one."""
        for fact_id in fact_ids:
            known = [fact for fact in self.versions[fact_id] if fact.revision <= revision]
            if known:
                yield known[-1]

    def _record(self, fact_id: str, version: Fact | None) -> None:
        self.positions.setdefault(fact_id, len(self.positions) + 1)
        versions = self.versions.setdefault(fact_id, [])
        if version is not None:
            versions.append(version)
            self.slots[version.subject, version.relation].add(fact_id)

    def _erase(self, fact_id: str) -> None:
        versions = self.versions[fact_id]
        named = {name for fact in versions for name in (fact.subject, fact.object)}
        for fact in versions:
            self.slots[fact.subject, fact.relation].discard(fact_id)
        versions.clear()
        remaining = {
            self._root(name)
            for facts in self.versions.values()
            for fact in facts
            for name in (fact.subject, fact.object)
        }
        gone = {self._root(name) for name in named} - remaining
        orphans = {name for name in named.union(self.merged, gone) if self._root(name) in gone}
        for entity in orphans:
            self.aliases.pop(entity, None)
            self.merged.pop(entity, None)
        self.commits = [_without(commit, fact_id, orphans) for commit in self.commits]

    def _root(self, name: str) -> str:
        """What an entity is after every merge: it and its target go together."""
        while name in self.merged:
            name = self.merged[name][1]
        return name


def _replaced(revisions: list[int], before: int) -> int:
    """How many of the things recorded at these revisions, one in place of another, were replaced by
    ``before``.
    """
    return max(bisect_right(revisions, before) - 1, 0)


def _without(commit: Commit, fact_id: str, orphans: set[str]) -> Commit:
    """The commit with an erased fact reduced to its id, and without the entities that it took."""
    changes = tuple(
        Change("erase", fact_id) if change.fact_id == fact_id else change
        for change in commit.changes
        if change.entity is None or change.entity not in orphans
    )
    return replace(commit, changes=changes)
