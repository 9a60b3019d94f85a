"""When two statements are one and the same, and need storing once."""

from __future__ import annotations

from dataclasses import replace

from graph.fact import Add, Fact

INFERRED = "valid_from_inferred"
"""The attribute that marks a start which the store chose for an undated statement."""


def claim(fact: Fact) -> tuple[str | None, ...]:
    """What a fact says, and when: the part of it that can contradict others."""
    return (fact.subject, fact.relation, fact.object, fact.valid_from, fact.statement.valid_to)


def turned(fact: Fact, relation: str) -> Fact:
    """The fact seen from its object, under the name that its relation has from there."""
    return replace(fact, subject=fact.object, relation=relation, object=fact.subject)


def states_the_same(add: Add, fact: Fact) -> bool:
    """True when the Add has the fact's claim, source and external id. Attributes do not count."""
    undated_then_too = fact.valid_from == add.valid_from or (
        add.valid_from is None and fact.attributes.get(INFERRED) is True
    )
    return undated_then_too and (
        (add.subject, add.relation, add.object, add.valid_to, add.source, add.external_id)
        == (
            fact.subject,
            fact.relation,
            fact.object,
            fact.statement.valid_to,
            fact.source,
            fact.external_id,
        )
    )


def repeats(add: Add, fact: Fact) -> bool:
    """True when an Add without an id of its own says nothing new beside the fact.

    A retracted fact stated again is news. So is an undated one that was superseded since: "X is P"
    means *now*, and P is back, unless an external id says that this is the same record as before.
    """
    if fact.status == "retracted" or not states_the_same(add, fact):
        return False
    back = add.valid_from is None and add.external_id is None and fact.status == "superseded"
    return not back
