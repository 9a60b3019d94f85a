"""``Dysk``: one graph in your own process. Push facts, ask, look back.

with Dysk.open("world.dysk") as d:
    d.add("UK", "head of government", "Keir Starmer", valid_from="2024-07-05")
    answer = d.ask("Who leads the UK?")
    answer.text, answer.evidence, answer.status
Dysk.connect("http://127.0.0.1:8000")  # the same methods over a running service
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dysk.answer import Answer, Evidence, Grounding, Mode
from dysk.checks import check_count, check_dates, check_options, check_question
from dysk.erasure import drop_index, forget_names
from dysk.facts import Facts
from graph import (
    Command,
    Erase,
    FactStore,
    Receipt,
)

if TYPE_CHECKING:
    from dysk.engine import Engine
    from dysk.remote import RemoteDysk
    from dysk.retrieval.encoder import CachedEncoder
    from dysk.sync import Syncer
    from dysk.workspace import Workspace


class Dysk(Facts):
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

    # -- asking ---------------------------------------------------------------------------------

    def search(self, text: str, *, as_of: str | None = None, limit: int = 8) -> list[Evidence]:
        """Facts ranked against a text, without the language model."""
        check_question(text)
        check_count("limit", limit)
        check_dates(as_of)
        with self._workspace.loading():
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
            with self._workspace.loading():
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

    def _forget_blocks(self, fact_ids: list[str]) -> None:
        if self._engine is not None:
            self._engine.forget(fact_ids)
