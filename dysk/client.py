"""``Dysk``: one graph in your own process. Push facts, ask, look back.

with Dysk.open("world.dysk") as d:
    d.add("UK", "head of government", "Keir Starmer", valid_from="2024-07-05")
    answer = d.ask("Who leads the UK?")
    answer.text, answer.evidence, answer.status
Dysk.connect("http://127.0.0.1:8000")  # the same methods over a running service
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from dysk.answer import Answer, Evidence, Grounding, Mode
from dysk.checks import check_count, check_dates, check_options, check_question
from dysk.erasure import drop_index, forget_names
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

    from dysk.engine import Engine
    from dysk.remote import RemoteDysk
    from dysk.retrieval.encoder import CachedEncoder
    from dysk.sync import Syncer
    from dysk.workspace import Workspace

_PATIENCE_SECONDS = 1.0
"""How long one wait for a change lasts: the longest that Ctrl-C may go unheard."""


class Dysk:
    """One graph. Thread-safe; one ask at a time speaks, writes and reads never wait for it."""

    def __init__(self, name: str, store: FactStore, workspace: Workspace) -> None:
        self.name = name
        self.store = store
        self._workspace = workspace
        self._owns_workspace = False
        self._vectors: CachedEncoder | None = None
        self._syncer: Syncer | None = None
        self._engine: Engine | None = None
        self._lock = threading.RLock()

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        graph: str = "default",
        model: str | None = None,
        encoder: str | None = None,
    ) -> Dysk:
        """Open a graph of the data folder ``path``, made if missing. Close it when done.

        ``model`` and ``encoder`` are folders, .gguf files or hub ids. Raises DataFolderError,
        StoreCorrupt.
        """
        from dysk.workspace import Workspace

        opened = Workspace(path, model=model, encoder=encoder).graph(graph, create=True)
        opened._owns_workspace = True
        return opened

    @classmethod
    def connect(cls, url: str, *, api_key: str | None = None, graph: str = "default") -> RemoteDysk:
        """A graph of a running service, with the same methods. Close it when done.

        ``api_key`` is what `dysk keys create` printed; none where the service has no keys.
        """
        from dysk.remote import RemoteDysk

        return RemoteDysk(url, api_key=api_key, graph=graph)

    # -- writing --------------------------------------------------------------------------------

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

        What a batch erases is gone from index, caches and fact memory as well when it returns.
        """
        erased = [command.fact_id for command in commands if isinstance(command, Erase)]
        if not erased or dry_run:
            return self.store.apply(
                commands,
                idempotency_key=idempotency_key,
                dry_run=dry_run,
                expect_revision=expect_revision,
            )
        # First the vectors, which can be made again, then the facts: a crash in between leaves
        # nothing behind that the store no longer tells to whom it belonged.
        forget_names(self.store, erased, self._workspace.vector_file(self.name))
        receipt = self.store.apply(
            commands, idempotency_key=idempotency_key, expect_revision=expect_revision
        )
        # Once more: another process may have written its index in between.
        drop_index(self._workspace.folder(self.name))
        if self._syncer is not None:
            self._syncer.catch_up(receipt.revision)
        return receipt

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

    # -- asking ---------------------------------------------------------------------------------

    def search(self, text: str, *, as_of: str | None = None, limit: int = 8) -> list[Evidence]:
        """Facts ranked against a text, without the language model."""
        check_question(text)
        check_count("limit", limit)
        check_dates(as_of)
        from dysk.engine import search

        with self.store.snapshot() as snapshot:
            return search(self.syncer(), self._workspace.encoder(), snapshot, text, as_of, limit)

    def ask(
        self,
        question: str,
        *,
        as_of: str | None = None,
        known_at: str | None = None,
        min_revision: int | None = None,
        mode: Mode = "attention",
        candidates: int = 32,
        top_k: int = 4,
        grounding: Grounding = "check",
        max_tokens: int = 48,
    ) -> Answer:
        """Answer a question from the graph; see dysk.engine.Engine.ask.

        Raises InvalidQuestion and InvalidTime before the models load, ModelUnavailable,
        RevisionNotReached.
        """
        check_question(question)
        check_options(
            mode=mode,
            grounding=grounding,
            candidates=candidates,
            top_k=top_k,
            max_tokens=max_tokens,
        )
        check_dates(as_of, known_at)
        return self.engine().ask(
            question,
            as_of=as_of,
            known_at=known_at,
            min_revision=min_revision,
            mode=mode,
            candidates=candidates,
            top_k=top_k,
            grounding=grounding,
            max_tokens=max_tokens,
        )

    def syncer(self, progress: Callable[[int, int], None] | None = None) -> Syncer:
        """The graph's index, built from the feed on first use and followed from then on.

        ``progress`` is called with (names encoded, names to encode) while it is built.
        """
        with self._lock:
            if self._syncer is None:
                from dysk.retrieval.encoder import CachedEncoder
                from dysk.sync import Syncer

                self.store.revision  # noqa: B018 - raises once the store is closed
                file = self._workspace.vector_file(self.name)
                self._vectors = CachedEncoder(self._workspace.encoder(), file)
                self._syncer = Syncer(
                    self.store,
                    self._vectors,
                    on_erase=self._forget_blocks,
                    folder=file.parent,
                )
            syncer = self._syncer
        # Outside the lock: building takes minutes for a large graph, and a close need not wait.
        syncer.catch_up(self.store.revision, progress)
        syncer.follow()
        return syncer

    @property
    def watermark(self) -> int | None:
        """The revision that the index is at; None before it is built."""
        syncer = self._syncer
        return None if syncer is None else syncer.watermark

    def engine(self) -> Engine:
        """What answers; loads the models on first use."""
        engine = self._engine
        if engine is None:
            from dysk.engine import Engine

            syncer, workspace = self.syncer(), self._workspace
            engine = Engine(
                self.store,
                syncer,
                workspace.encoder(),
                workspace.model(),
                workspace.heads(),
                graph=self.name,
            )
            self._engine = engine
        return engine

    def release(self) -> None:
        """Close, and take the blocks of all facts out of the fact memory that graphs share."""
        if self._engine is not None:
            with self.store.snapshot() as snapshot:
                facts = [*snapshot.facts(), *snapshot.facts(status="retracted")]
            self._engine.forget([fact.id for fact in facts])
        self.close()

    def close(self) -> None:
        """Stop following and close the store; safe to call twice."""
        with self._lock:
            if self._syncer is not None:
                self._syncer.close()
                self._syncer = None
            if self._vectors is not None:
                self._vectors.close()
                self._vectors = None
            self._engine = None
            self.store.close()
        if self._owns_workspace:
            self._owns_workspace = False
            self._workspace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _snapshot(self, known_at: str | None, at_revision: int | None) -> Snapshot:
        return self.store.snapshot(
            revision=at_revision, known_at=None if known_at is None else parse_date(known_at)
        )

    def _forget_blocks(self, fact_ids: list[str]) -> None:
        if self._engine is not None:
            self._engine.forget(fact_ids)
