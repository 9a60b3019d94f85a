"""Erasure beyond the store: the vectors kept on disk, reached without a model, and what waits."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from graph import FactStore, NotFound, SQLiteStore
from graph.errors import StoreUnavailable


def forget_names(store: FactStore, fact_ids: Iterable[str], vectors: Path) -> None:
    """Drop the cached vectors of every name that these facts ever bore; ``vectors`` may be absent.
    The index that is kept beside them goes as a whole.

    Names that other facts bear as well lose theirs too: they are encoded again when next needed.
    Raises StoreUnavailable.
    """
    from dysk.retrieval.vector_file import forget_texts
    from dysk.retrieval.verbalize import spell_out

    names: set[str] = set()
    with store.snapshot() as snapshot:
        for fact_id in fact_ids:
            with suppress(NotFound):
                for version in snapshot.history(fact_id):
                    names |= {version.subject, spell_out(version.relation)}
    forget_texts(vectors, names)
    drop_index(vectors.parent)


def drop_index(folder: Path) -> None:
    """Remove the index that is kept in a graph's folder: it has names. Raises StoreUnavailable."""
    from dysk.retrieval import index_file

    try:
        index_file.drop(folder)
    except OSError as error:
        raise StoreUnavailable(
            f"{folder / index_file.NAME} cannot be removed ({error.strerror}): "
            "what is erased stands in it; remove it by hand"
        ) from error


def bytes_remain(store: FactStore) -> bool:
    """True while bytes of erased facts are left, because another program reads the store's file
    from before. They go when it lets go.
    """
    return isinstance(store, SQLiteStore) and store.unscrubbed
