"""Small graphs of a world that does not exist, and questions of which they answer only some.

Abstention is calibrated on these (dysk.training). Names share their parts, as real ones do, so an
entity that is left out has neighbours; every kind of entity has relations that one entity has and
another lacks, and relations that nobody in a graph has. Nothing here stands in a benchmark.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dysk.invented_kinds import KINDS, TITLE_WORDS, Kind
from dysk.invented_words import numeral, syllables

_GRAPH_SIZES = (20, 60, 150, 500)
_KINDS_A_GRAPH = (2, 4, 8)
_LEFT_OUT = 0.3
_HAS = (0.3, 0.6, 0.9)
"""Chances that an entity has a relation: sparse graphs, and full ones."""
_UNKNOWN_RELATIONS = 0.25
_TAILS = 0.25
_TAIL = (
    " in the {word} {word2} of {place}",
    ", according to {first} {last}",
    " at the {word} Fair",
)
"""What a question may add that names neither the entity nor the relation."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about one slot, which the graph may or may not have."""

    question: str
    subject: str
    relation: str


@dataclass(frozen=True, slots=True)
class InventedGraph:
    """(subject, relation, object) triples, and questions about what is there and what is not."""

    triples: tuple[tuple[str, str, str], ...]
    asked: tuple[Asked, ...]


def invent_graph(seed: int) -> InventedGraph:
    """The same graph for the same seed."""
    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    pool = _Pool(rng)
    has = rng.choice(_HAS)
    triples: list[tuple[str, str, str]] = []
    asked: list[Asked] = []
    kinds = rng.sample(KINDS, min(rng.choice(_KINDS_A_GRAPH), len(KINDS)))
    entities = rng.choice(_GRAPH_SIZES) // len(kinds) + 4
    for kind in kinds:
        known = [r for r in kind.relations if rng.random() > _UNKNOWN_RELATIONS]
        for subject, calls in _subjects(kind, entities, pool, rng):
            present = rng.random() > _LEFT_OUT
            for relation in kind.relations:
                if present and relation in known and rng.random() < has:
                    triples.append((subject, relation.name, pool.object(relation.object)))
            relation = rng.choice(kind.relations)
            question = rng.choice(relation.questions).format(rng.choice(calls))
            if rng.random() < _TAILS:
                question = question[:-1] + rng.choice(_TAIL).format(**pool.parts()) + "?"
            asked.append(Asked(_as_typed(question, rng), subject, relation.name))
    return InventedGraph(tuple(triples), tuple(asked))


def _subjects(
    kind: Kind, count: int, pool: _Pool, rng: random.Random
) -> list[tuple[str, list[str]]]:
    """Distinct entities of a kind, each with what people call it in a question."""
    found: dict[str, list[str]] = {}
    while len(found) < count:
        pattern = rng.choice(kind.names)
        parts = pool.parts()
        for n in range(1, 1 + (rng.randint(2, 6) if "{n" in pattern else 1)):
            numbered = {**parts, "n": str(n), "nth": numeral(n)}
            name = pattern.format(**numbered)
            base = name.split(" (")[0]
            calls = [base, base, base, *(c.format(base) for c in kind.calls)]
            calls += [other.format(**numbered) for other in kind.other_names.get(pattern, ())]
            place = pool.parts()["place"]
            calls += [f"{place}'s {base}", f"the {place} native {base}"]
            calls.append(base.split(maxsplit=1)[-1])  # "Vell" for "Ada Vell"
            found.setdefault(name, calls)
    return list(found.items())[:count]


def _as_typed(question: str, rng: random.Random) -> str:
    """People leave out capitals and slip."""
    chance = rng.random()
    if chance < 0.06:
        return question.lower()
    if chance < 0.1:
        at = rng.randrange(len(question) // 3, len(question) - 2)
        return question[:at] + question[at + 1 :]
    return question[0].upper() + question[1:]


class _Pool:
    """Parts of names, few enough to be shared."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        size = rng.choice((12, 40, 120))
        self._first = [syllables(rng, 1, 2) for _ in range(size)]
        self._last = [syllables(rng, 1, 3) for _ in range(size)]
        self._places = [
            syllables(rng, 1, 2) + rng.choice(("bay", "dale", "haven", "mere", "ton", "wick"))
            for _ in range(size)
        ]

    def parts(self) -> dict[str, str]:
        """One of each part that the patterns of names ask for."""
        rng = self._rng
        words = rng.sample(TITLE_WORDS, 3)
        return {
            "first": rng.choice(self._first),
            "middle": rng.choice(self._first),
            "initial": rng.choice(self._first)[0],
            "last": rng.choice(self._last),
            "place": rng.choice(self._places),
            "word": words[0],
            "word2": words[1],
            "word3": words[2],
        }

    def object(self, kind: str) -> str:
        """Something that a fact may be about."""
        makers: dict[str, Callable[[dict[str, str]], str]] = {
            "person": lambda p: f"{p['first']} {p['last']}",
            "place": lambda p: p["place"],
            "thing": lambda p: f"{p['word']} {p['word2']}".lower(),
            "company": lambda p: f"{p['last']} {self._rng.choice(_COMPANY)}",
            "number": lambda _: str(self._rng.randint(3, 90_000)),
            "date": lambda _: f"{self._rng.randint(1700, 2020)}-{self._rng.randint(1, 12):02d}",
        }
        return makers[kind](self.parts())


_COMPANY: Sequence[str] = ("Trust", "Holdings", "Society", "Brothers", "Works")
