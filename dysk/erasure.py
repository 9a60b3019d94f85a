"""What erasure reaches outside the store while no model is loaded: the vectors kept on disk."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from graph import FactStore, NotFound


def forget_names(store: FactStore, fact_ids: Iterable[str], vectors: Path) -> None:
    """Drop the cached vectors of every name that these facts ever bore; ``vectors`` may be absent.

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
