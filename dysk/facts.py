"""The facts of one graph: what can be said, ended, corrected and looked up, whoever answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from dysk.forgetting import Forgotten, forget
from graph import (
    Add,
    Cardinality,
    Command,
    Commit,
    Compaction,
    Correct,
    End,
    Erase,
    Fact,
    FactStore,
    MergeEntities,
    OnConflict,
    Receipt,
    Relation,
    Retract,
    SetRelation,
    Snapshot,
    Status,
    interchange,
    parse_date,
)
from graph.interchange import ExportFormat, ImportFormat, ImportReport

if TYPE_CHECKING:
    import networkx as nx

_PATIENCE_SECONDS = 1.0
"""How long one wait for a change lasts: the longest that Ctrl-C may go unheard."""


class Facts(ABC):
    """Writing and reading the facts of a store; every write goes through ``apply``."""

    store: FactStore

    @abstractmethod
    def apply(
        self,
        commands: Sequence[Command],
        *,
        idempotency_key: str | None = None,
        dry_run: bool = False,
        expect_revision: int | None = None,
    ) -> Receipt:
        """Apply a batch as one commit, durable on return, all or nothing; see
        graph.FactStore.apply.
        """

    # -- writing --------------------------------------------------------------------------------

    def add(
        self,
        subject: str,
        relation: str,
        object: str,
        *,
        valid_from: str | None = None,
        valid_to: str | None = None,
        source: str | None = None,
        external_id: str | None = None,
        attributes: Mapping[str, object] | None = None,
        id: str | None = None,
        aliases: Sequence[str] = (),
        object_aliases: Sequence[str] = (),
        on_conflict: OnConflict | None = None,
        dry_run: bool = False,
    ) -> Receipt:
        """State a fact; fields as in graph.Add. ``receipt.items[0].fact`` is what is stored."""
        command = Add(
            subject,
            relation,
            object,
            valid_from=valid_from,
            valid_to=valid_to,
            source=source,
            external_id=external_id,
            attributes=attributes or {},
            id=id,
            on_conflict=on_conflict,
            aliases=tuple(aliases),
            object_aliases=tuple(object_aliases),
        )
        return self.apply([command], dry_run=dry_run)

    def end(self, fact_id: str, at: str, *, expect_revision: int | None = None) -> Receipt:
        """The fact stopped being true at ``at``."""
        return self.apply([End(fact_id, at, expect_revision)])

    def correct(
        self, fact_id: str, *, expect_revision: int | None = None, **changes: object
    ) -> Receipt:
        """The fact was recorded wrongly: give the right fields. The old version stays under
        ``known_at``.
        """
        return self.apply([Correct(fact_id, changes, expect_revision)])

    def retract(self, fact_id: str, *, expect_revision: int | None = None) -> Receipt:
        """The fact was never true."""
        return self.apply([Retract(fact_id, expect_revision)])

    def erase(self, fact_id: str) -> Receipt:
        """Remove every byte of the fact: from the store with all its history, from index, caches
        and fact memory.
        """
        return self.apply([Erase(fact_id)])

    def forget(self, *, source: str | None = None, entity: str | None = None) -> Forgotten:
        """Erase every fact that has, or ever had, this source or this entity; see
        dysk.forgetting.forget.
        """
        return forget(self, source=source, entity=entity)

    def set_relation(
        self,
        name: str,
        *,
        cardinality: Cardinality = "many",
        template: str | None = None,
        inverse: str | None = None,
    ) -> Receipt:
        """Declare whether a subject has one object at a time, how a fact is worded, and what the
        relation is called from its object's side.
        """
        return self.apply([SetRelation(Relation(name, cardinality, template, inverse))])

    def merge(self, source: str, target: str) -> Receipt:
        """Two names are one entity: what is said of ``source`` is said of ``target`` from now on.

        Raises NotFound when nothing is known of ``source``.
        """
        return self.apply([MergeEntities(source, target)])

    def compact(self, before: int) -> Compaction:
        """Forget what only revisions before ``before`` need; see graph.FactStore.compact."""
        return self.store.compact(before)

    # -- looking --------------------------------------------------------------------------------

    def get(self, fact_id: str) -> Fact:
        """The current version. Raises NotFound."""
        with self.store.snapshot() as snapshot:
            return snapshot.get(fact_id)

    def facts(
        self,
        *,
        subject: str | None = None,
        relation: str | None = None,
        object: str | None = None,
        source: str | None = None,
        status: Status | None = None,
        as_of: str | None = None,
        known_at: str | None = None,
        at_revision: int | None = None,
        limit: int | None = None,
    ) -> list[Fact]:
        """Facts that match every filter, in order of their first recording."""
        with self._snapshot(known_at, at_revision) as snapshot:
            return list(
                snapshot.facts(
                    subject=subject,
                    relation=relation,
                    object=object,
                    source=source,
                    status=status,
                    as_of=None if as_of is None else parse_date(as_of),
                    limit=limit,
                )
            )

    def history(self, fact_id: str) -> list[Fact]:
        """Every version of a fact, oldest first."""
        with self.store.snapshot() as snapshot:
            return snapshot.history(fact_id)

    def timeline(self, entity: str) -> list[Fact]:
        """Facts about an entity, by name or alias, in order of their start."""
        with self.store.snapshot() as snapshot:
            return snapshot.timeline(entity)

    def changes(self, since: int = 0, limit: int = 1000) -> list[Commit]:
        """The change feed after a revision."""
        return self.store.changes(since, limit=limit)

    def follow(self, since: int = 0) -> Iterator[Commit]:
        """Every commit after a revision, for ever: waits for those to come."""
        while True:
            while commits := self.changes(since):
                yield from commits
                since = commits[-1].revision
            while not self.store.wait(since, _PATIENCE_SECONDS):
                pass

    def to_networkx(self, as_of: str | None = None) -> nx.MultiDiGraph:
        """The graph as networkx sees it: entities as nodes, facts as edges."""
        from graph.view import to_networkx

        with self.store.snapshot() as snapshot:
            return to_networkx(snapshot, None if as_of is None else parse_date(as_of))

    def import_lines(
        self,
        lines: Iterable[bytes],
        *,
        format: ImportFormat = "jsonl",
        extra_attributes: bool = False,
        columns: Mapping[str, str] | None = None,
        language: str = "en",
        progress: Callable[[int], None] | None = None,
    ) -> ImportReport:
        """Add the facts of a file's lines; bad lines are reported and the rest goes in.

        ``columns`` maps names in the header of a CSV table to fields. ``language`` is that of the
        names to take from RDF and Wikidata.
        """
        extra: Literal["attributes", "reject"] = "attributes" if extra_attributes else "reject"
        read = interchange.read(format, lines, extra=extra, columns=columns, language=language)
        return interchange.load_commands(self.store, read, progress=progress)

    def export_lines(
        self, *, format: ExportFormat = "jsonl", as_of: str | None = None
    ) -> Iterator[str]:
        """The graph in lines without their ends. ``import_lines`` reads all formats back but
        GraphML; CSV leaves the settings of relations behind.
        """
        period = None if as_of is None else parse_date(as_of)
        with self.store.snapshot() as snapshot:
            yield from interchange.dump(format, snapshot, period)

    def _snapshot(self, known_at: str | None, at_revision: int | None) -> Snapshot:
        return self.store.snapshot(
            revision=at_revision, known_at=None if known_at is None else parse_date(known_at)
        )
