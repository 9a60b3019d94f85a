"""A data folder with graphs in it, and the two models that they share.

    <path>/graphs/<name>/graph.db      one SQLite store a graph
    <path>/graphs/<name>/vectors.db    cached vectors of its names

With ``graph_url`` the graphs are on a Neo4j server, and the folder keeps their vectors only.
Opening is cheap. Models load on the first ask or search, or in ``warm``; writes never need them.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dysk.client import Dysk
from dysk.errors import DataFolderError, DyskError, ModelUnavailable
from dysk.graph_server import GraphServer
from graph import GraphError, NotFound, SQLiteStore

if TYPE_CHECKING:
    from dysk.attention.fine import RetrievalHeads
    from dysk.attention.memory import MemoryStats
    from dysk.language_model import LanguageModel
    from dysk.retrieval.encoder import Encoder

DEFAULT_GRAPH = "default"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

Progress = Callable[[str], None]


class Workspace:
    """Owns the graphs of a data folder and the models. Thread-safe."""

    def __init__(
        self,
        path: str | Path,
        *,
        model: str | None = None,
        encoder: str | None = None,
        graph_url: str | None = None,
    ) -> None:
        """Open or make the folder. ``model`` and ``encoder`` are folders, .gguf files or hub ids,
        ``graph_url`` is a server's address such as bolt://host:7687.

        Raises DataFolderError, InvalidGraphUrl.
        """
        self.graph_url = graph_url
        self._server = None if graph_url is None else GraphServer(graph_url)
        self.path = Path(path).expanduser()
        self._model_spec = model
        self._encoder_spec = encoder
        self._graphs: dict[str, Dysk] = {}
        self._lock = threading.RLock()
        self._loading = threading.RLock()
        self._model: LanguageModel | None = None
        self._encoder: Encoder | None = None
        self._heads: RetrievalHeads | None = None
        self._state: dict[str, str] = {"encoder": "not loaded", "model": "not loaded"}
        try:
            (self.path / "graphs").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataFolderError(
                f"{self.path} cannot be used as a data folder ({error.strerror}): "
                "name a folder that can be written with --data"
            ) from error

    def graphs(self) -> list[str]:
        """Names of the graphs, sorted; ``default`` is always among them."""
        if self._server is not None:
            found = self._server.graphs()
        else:
            found = [each.name for each in (self.path / "graphs").iterdir() if each.is_dir()]
        return sorted({name for name in found if _NAME.fullmatch(name)} | {DEFAULT_GRAPH})

    def graph(self, name: str = DEFAULT_GRAPH, *, create: bool = False) -> Dysk:
        """One graph, the same object at every call. Raises NotFound unless it exists or ``create``
        is set.
        """
        with self._lock:
            if name not in self._graphs:
                folder = self.folder(name)
                if not (create or self._exists(name)):
                    raise NotFound(f"there is no graph {name!r}: create it first")
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise DataFolderError(
                        f"{folder} cannot be made ({error.strerror}): check the data folder"
                    ) from error
                store = (
                    SQLiteStore(folder / "graph.db")
                    if self._server is None
                    else self._server.store(name)
                )
                self._graphs[name] = Dysk(name, store, self)
            return self._graphs[name]

    def opened(self) -> dict[str, Dysk]:
        """The graphs that are open, by name."""
        with self._lock:
            return dict(self._graphs)

    def delete(self, name: str) -> None:
        """Close a graph and remove it and its files. ``default`` is there again, empty, when next
        asked for. Raises NotFound, DataFolderError, StoreUnavailable.
        """
        with self._lock:
            folder = self.folder(name)
            if not self._exists(name):
                raise NotFound(f"there is no graph {name!r}")
            opened = self._graphs.pop(name, None)
            if opened is not None:
                opened.release()
            if self._server is not None:
                self._server.delete(name)
            try:
                if folder.is_dir():
                    shutil.rmtree(folder)
            except OSError as error:
                raise DataFolderError(
                    f"{folder} cannot be removed ({error.strerror}): check the data folder"
                ) from error

    def _exists(self, name: str) -> bool:
        if name == DEFAULT_GRAPH:
            return True
        return self.folder(name).is_dir() if self._server is None else name in self.graphs()

    # -- models ---------------------------------------------------------------------------------

    def warm(
        self, progress: Progress | None = None, *, graphs: Sequence[str] | None = None
    ) -> None:
        """Load both models now, and index these graphs, so that their first ask finds all ready.

        ``graphs`` None is every graph of the folder. Raises ModelUnavailable. A graph that cannot
        be opened is left to the ask that needs it.
        """
        self.encoder(progress)
        self.heads(progress)
        for name in self.graphs() if graphs is None else graphs:
            with suppress(GraphError):
                self.graph(name).syncer(_counting(progress, f"indexing graph {name}"))

    def encoder(self, progress: Progress | None = None) -> Encoder:
        """The sentence encoder, for questions."""
        with self._loading:
            if self._encoder is None:
                from dysk.models import find_encoder
                from dysk.retrieval.encoder import Encoder

                with _reporting(self._state, "encoder"):
                    self._encoder = Encoder(find_encoder(self._encoder_spec, progress))
            return self._encoder

    def model(self, progress: Progress | None = None) -> LanguageModel:
        """The language model, attached to its fact memory."""
        with self._loading:
            if self._model is None:
                from dysk.language_model import LanguageModel
                from dysk.models import find_language_model

                with _reporting(self._state, "model"):
                    _ready_kernel(progress)
                    folder = find_language_model(self._model_spec, progress)
                    if progress:
                        progress(f"loading {folder.name}")
                    self._model = LanguageModel(folder)
            return self._model

    def heads(self, progress: Progress | None = None) -> RetrievalHeads:
        """The model's retrieval heads, found now if nobody did before."""
        with self._loading:
            if self._heads is None:
                from dysk.attention.heads import heads_for

                model, encoder = self.model(progress), self.encoder(progress)
                with _reporting(self._state, "model"):
                    self._heads = heads_for(model, encoder, progress)
            return self._heads

    @contextmanager
    def loading(self) -> Iterator[None]:
        """No model is loaded meanwhile. For imports of what models need: of two threads that import
        transformers for the first time at once, one may find half of it.
        """
        with self._loading:
            yield

    def fact_memory(self) -> MemoryStats | None:
        """Counters of the fact memory; None while no model is loaded."""
        return None if self._model is None else self._model.memory.stats

    def folder(self, name: str) -> Path:
        """Where a graph's files lie; it may not exist yet. Raises NotFound for what is no name."""
        if not _NAME.fullmatch(name):
            raise NotFound(
                f"{name!r} is no graph's name: letters, digits, '_', '-' and '.', at most 64, "
                "beginning with a letter or digit"
            )
        return self.path / "graphs" / name

    def vector_file(self, name: str) -> Path:
        """Where the vectors of a graph's names are cached; it may not exist yet."""
        return self.folder(name) / "vectors.db"

    def readiness(self) -> dict[str, str]:
        """Each part's state: ``ok``, ``loading``, ``not loaded`` or why it fails."""
        try:
            self.graph().store.revision  # noqa: B018 - reads the file
            store = "ok"
        except Exception as error:
            store = str(error) or type(error).__name__
        return {"store": store, **self._state}

    def close(self) -> None:
        """Close every graph. Safe to call twice."""
        with self._lock:
            for graph in self._graphs.values():
                graph.close()
            self._graphs.clear()
        if self._server is not None:
            self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _counting(progress: Progress | None, step: str) -> Callable[[int, int], None] | None:
    """Numbers as words: "indexing graph default: 512 of 3,000 names"."""
    if progress is None:
        return None
    return lambda done, total: progress(f"{step}: {done:,} of {total:,} names")


def _ready_kernel(progress: Progress | None) -> None:
    """Build the operator's kernel where there is none yet: the first ask must not wait for it."""
    from dysk.ops import native

    if progress:
        progress("getting the CPU kernel ready")
    try:
        native.load()
    except native.NativeKernelMissing as error:
        raise ModelUnavailable(
            f"DYSK_NATIVE=require asks for the CPU kernel, but {error}: mend that, or set auto"
        ) from error


@contextmanager
def _reporting(state: dict[str, str], part: str) -> Iterator[None]:
    """Keep a part's state true while it loads; turn what goes wrong into ModelUnavailable."""
    state[part] = "loading"
    try:
        yield
    except Exception as error:
        state[part] = str(error) or type(error).__name__
        if isinstance(error, DyskError):
            raise
        raise ModelUnavailable(
            f"the {part} cannot be loaded ({error}): check its files, or name another one with "
            f"--{part}"
        ) from error
    state[part] = "ok"
