"""Erasing everything of a source, or about an entity, and saying what is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from dysk.erasure import bytes_remain
from graph.errors import InvalidFact
from graph.fact import Erase, Fact
from graph.store import FactStore

if TYPE_CHECKING:
    from dysk.facts import Facts

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What an erasure reached. ``remaining`` are facts that still match, ``bytes_remain`` tells
    that another program keeps the file's old bytes for now.
    """

    revision: int
    erased: tuple[str, ...]
    remaining: tuple[str, ...]
    bytes_remain: bool


def forget(graph: Facts, *, source: str | None = None, entity: str | None = None) -> Forgotten:
    """Erase every fact that has, or ever had, this source or this entity as subject or object.

    Looks through the whole history, since a fact that was corrected still says in an old version
    what it said. One commit. Raises InvalidFact unless one of the two is given.
    """
    if (source is None) == (entity is None):
        raise InvalidFact("name either a source or an entity to erase, not both and not neither")
    names = _names(graph, entity)
    found = _matching(graph.store, source, names)
    if found:
        graph.apply([Erase(fact_id) for fact_id in found])
    return Forgotten(
        revision=graph.store.revision,
        erased=tuple(found),
        remaining=tuple(_matching(graph.store, source, names)),
        bytes_remain=bytes_remain(graph.store),
    )


def _names(graph: Facts, entity: str | None) -> frozenset[str]:
    if entity is None:
        return frozenset()
    with graph.store.snapshot() as snapshot:
        canonical = snapshot.resolve(entity)
        others = [alias for name in canonical for alias in snapshot.aliases(name)]
    return frozenset((entity, *canonical, *others))


def _matching(store: FactStore, source: str | None, names: frozenset[str]) -> list[str]:
    found = {
        fact.id: None
        for fact in _every_version(store)
        if fact.subject in names
        or fact.object in names
        or (source is not None and fact.source == source)
    }
    return list(found)


def _every_version(store: FactStore) -> Iterator[Fact]:
    """The facts of the earliest revision that is kept, and every version since."""
    with store.snapshot(revision=store.horizon) as start:
        yield from chain(start.facts(), start.facts(status="retracted"))
    since = store.horizon
    while commits := store.changes(since, limit=_PAGE):
        for commit in commits:
            for change in commit.changes:
                yield from (each for each in (change.before, change.after) if each is not None)
        since = commits[-1].revision
