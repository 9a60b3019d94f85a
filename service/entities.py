"""Entities, read out of the facts that name them: in what order they came, and around whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from graph.errors import NotFound
from graph.fact import Fact
from graph.interval import Period
from graph.store import Snapshot

Role = Literal["subject", "object"]
_ROLES: tuple[Role, ...] = ("subject", "object")

LOOKED_THROUGH = 5_000
"""Facts that one page looks through; a rare name may take several pages to come up."""


@dataclass(frozen=True, slots=True)
class Page:
    """Names in the order of the first fact that bears them, and the fact to go on after."""

    names: list[str]
    after: str | None


def listed(snapshot: Snapshot, text: str | None, after: str | None, limit: int) -> Page:
    """A page of entities whose name has ``text`` in it, whatever the case. Raises NotFound for an
    ``after`` that is gone.
    """
    wanted = None if text is None else text.casefold()
    names: list[str] = []
    last = None
    facts = snapshot.facts(after=after, limit=LOOKED_THROUGH)
    for count, fact in enumerate(facts, start=1):
        last = fact.id
        for name in dict.fromkeys((fact.subject, fact.object)):
            if wanted is not None and wanted not in name.casefold():
                continue
            if _is_new_in(fact, name, snapshot):
                names.append(name)
        if len(names) >= limit or count == LOOKED_THROUGH:
            return Page(names, last)
    return Page(names, None)


def resolved(snapshot: Snapshot, name: str) -> str:
    """The canonical name behind a name or alias; of several the first. Raises NotFound."""
    found = snapshot.resolve(name)
    if not found:
        raise NotFound(f"no fact names {name!r}: check the spelling, or search for it")
    return found[0]


def around(
    snapshot: Snapshot, entity: str, as_of: Period | None, limit: int
) -> Iterator[tuple[str, Fact]]:
    """Each fact about an entity, with the name at its other end."""
    facts = chain(
        snapshot.facts(subject=entity, as_of=as_of, limit=limit),
        snapshot.facts(object=entity, as_of=as_of, limit=limit),
    )
    seen: set[str] = set()
    for fact in facts:
        if entity not in (fact.subject, fact.object):
            continue  # an alias led to another one's
        if fact.id not in seen and fact.holds_in(as_of) and len(seen) < limit:
            seen.add(fact.id)
            yield (fact.object if fact.subject == entity else fact.subject), fact


def _is_new_in(fact: Fact, name: str, snapshot: Snapshot) -> bool:
    """True when no fact recorded before this one names the entity."""
    return not any(_named_before(fact, name, snapshot, role) for role in _ROLES)


def _named_before(fact: Fact, name: str, snapshot: Snapshot, role: Role) -> bool:
    first = _first(_naming(snapshot, name, role, None), name, role)
    if first is None or first.id == fact.id:
        return False
    following = _first(_naming(snapshot, name, role, fact.id), name, role)
    return following is None or following.id != first.id


def _naming(snapshot: Snapshot, name: str, role: Role, after: str | None) -> Iterator[Fact]:
    if role == "subject":
        return snapshot.facts(subject=name, after=after)
    return snapshot.facts(object=name, after=after)


def _first(facts: Iterator[Fact], name: str, role: Role) -> Fact | None:
    """The first that has the name itself there: an alias leads to facts of others, too."""
    return next((fact for fact in facts if getattr(fact, role) == name), None)
