"""Made-up facts in any number, shaped like a knowledge graph, one JSON line each.

An entity has about three relations and each relation one to three facts, one after another in time.
Half of the relations have one object at a time. Objects are entities themselves, some named far
more often than others: the most famous of a million facts stands in about two thousand.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from itertools import islice

from benchmarks.speed.names import invented_words

_RELATIONS = 24
_WORDS = 4096
_FACTS_TO_AN_ENTITY = 6


def relation_lines() -> Iterator[bytes]:
    """Lines that declare the relations of ``fact_lines``."""
    for number in range(_RELATIONS):
        record = {"relation": _relation(number), "cardinality": ("one", "many")[number % 2]}
        yield json.dumps(record).encode() + b"\n"


def fact_lines(count: int, seed: int = 0) -> Iterator[bytes]:
    """``count`` facts as JSON Lines, the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 (facts, not secrets)
    words = _words(seed)
    entities = count // _FACTS_TO_AN_ENTITY + 1

    def name(number: int) -> str:
        return f"{words[number % _WORDS]} {words[number // _WORDS % _WORDS]}"

    def lives() -> Iterator[bytes]:
        subject = 0
        while True:
            for relation in chance.sample(range(_RELATIONS), 3):
                year = chance.randrange(1900, 2000)
                for _ in range(chance.choice((1, 1, 2, 3))):
                    month, day = chance.randrange(1, 13), chance.randrange(1, 29)
                    record = {
                        "subject": name(subject),
                        "relation": _relation(relation),
                        # Squared, so that few are named often and most seldom.
                        "object": name(int(entities * chance.random() ** 2)),
                        "valid_from": f"{year}-{month:02}-{day:02}",
                        "source": f"register {chance.randrange(100)}",
                    }
                    year += chance.randrange(1, 8)
                    if relation % 2:
                        record["valid_to"] = f"{year}"
                    yield json.dumps(record).encode() + b"\n"
            subject += 1

    return islice(lives(), count)


def is_invented(name: str, seed: int = 0) -> bool:
    """Whether ``name`` may be an entity of ``fact_lines``: two of its words."""
    parts = name.split(" ")
    return len(parts) == 2 and _distinct_words(seed).issuperset(parts)


@cache
def _words(seed: int) -> tuple[str, ...]:
    return tuple(islice(invented_words(seed), _WORDS))


@cache
def _distinct_words(seed: int) -> frozenset[str]:
    return frozenset(_words(seed))


def _relation(number: int) -> str:
    return f"relation {number}"
