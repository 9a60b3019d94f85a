"""Under which names statements are stored: merged entities' targets, relations, no inverses."""

from __future__ import annotations

from dataclasses import replace

from graph.errors import InvalidFact
from graph.fact import Add, Fact, Relation
from graph.overlay import Overlay


def as_stored(view: Overlay, add: Add) -> Add:
    """The Add under the names that are stored: a merged entity's target, and the relation rather
    than its inverse.
    """
    relation = view.inverse_of(add.relation)
    if relation is not None:
        add = replace(
            add,
            subject=add.object,
            relation=relation.name,
            object=add.subject,
            aliases=add.object_aliases,
            object_aliases=add.aliases,
        )
    subject, object = view.canonical(add.subject), view.canonical(add.object)
    if (subject, object) == (add.subject, add.object):
        return add
    return replace(add, subject=subject, object=object)


def under_canonical_names(view: Overlay, fact: Fact) -> Fact:
    """The fact with what merged entities became in place of them."""
    subject, object = view.canonical(fact.subject), view.canonical(fact.object)
    return replace(fact, subject=subject, object=object)


def check_inverse(view: Overlay, relation: Relation) -> None:
    """Raise InvalidFact unless what is stored stays apart from what is read turned round."""
    holder = view.inverse_of(relation.name)
    if holder is not None:
        raise InvalidFact(
            f"{relation.name!r} is the inverse of {holder.name!r}; declare that one",
            "/relation/name",
        )
    inverse = relation.inverse
    if inverse is None:
        return
    holder = view.inverse_of(inverse)
    if holder is not None and holder.name != relation.name:
        raise InvalidFact(
            f"{inverse!r} is the inverse of {holder.name!r} already", "/relation/inverse"
        )
    if view.relation(inverse) not in (None, Relation(inverse)):
        raise InvalidFact(
            f"{inverse!r} has settings of its own; declare its inverse there",
            "/relation/inverse",
        )
    if view.uses(inverse):
        raise InvalidFact(
            f"facts are stored under {inverse!r}; declare {relation.name!r} as the inverse of "
            "that one, or correct the relation of those facts first",
            "/relation/inverse",
        )
