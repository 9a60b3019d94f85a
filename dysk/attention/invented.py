"""Facts about a world that does not exist, with a question for each.

Retrieval heads are found on these: nothing here can have been learnt in pre-training, and no
benchmark contains it. Names are put together from syllables; every subject has several relations
and every relation several subjects, so a question always has near misses on both sides.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

_ONSETS = "b br d dr f g gr h j k kl l m n p pr r s sk st t tr v w z".split()  # noqa: SIM905
_NUCLEI = ["a", "e", "i", "o", "u", "ai", "ea", "ou"]
_CODAS = ["l", "ld", "m", "n", "nd", "nt", "r", "rk", "rn", "s", "sk", "st", "t", "th", "x"]
_PLACES = ["bay", "bridge", "dale", "field", "haven", "mere", "point", "ridge", "ton", "wick"]

_TOPICS = (
    (
        "{name} Foundry",
        (
            ("plant manager", "Who manages the plant at {s}?", "person"),
            ("safety inspector", "Which person inspects safety for {s}?", "person"),
            ("main product", "What does {s} mainly make?", "thing"),
        ),
    ),
    (
        "the {name} lighthouse",
        (
            ("keeper", "Who keeps {s}?", "person"),
            ("nearest harbour", "What is the closest harbour to {s}?", "place"),
            ("lamp colour", "Which colour is the lamp of {s}?", "colour"),
        ),
    ),
    (
        "{name} Choir",
        (
            ("conductor", "Who conducts {s}?", "person"),
            ("rehearsal hall", "In which hall does {s} rehearse?", "place"),
            ("patron", "Who is the patron of {s}?", "person"),
        ),
    ),
    (
        "the {name} glacier survey",
        (
            ("lead surveyor", "Who is in charge of surveying for {s}?", "person"),
            ("base camp", "Where is the base camp of {s}?", "place"),
            ("sponsor", "Who pays for {s}?", "company"),
        ),
    ),
    (
        "{name} {surname}",
        (
            ("apprentice", "Who is learning the trade from {s}?", "person"),
            ("workshop", "In what town is the workshop of {s}?", "place"),
            ("favourite motif", "What does {s} like best to carve?", "thing"),
        ),
    ),
)
# Siblings share a name and differ in a number, as streets, rooms and versions do.
_NUMBERED = (
    (
        "lock {n} of the {name} canal",
        (
            ("lock keeper", "Who keeps the {nth} lock on the {name} canal?", "person"),
            ("gate colour", "What colour are the gates of {s}?", "colour"),
        ),
    ),
    (
        "room {n} of the {name} archive",
        (
            ("archivist", "Which archivist looks after {s}?", "person"),
            ("holdings", "What is kept in {s}?", "thing"),
        ),
    ),
)
_SIBLINGS = 5
_THINGS = [
    "bellows",
    "brass dials",
    "chimney tiles",
    "clock springs",
    "glass floats",
    "oak barrels",
]
_COLOURS = ["amber", "crimson", "indigo", "ivory", "jade", "pale green", "scarlet", "violet"]


@dataclass(frozen=True, slots=True)
class InventedFact:
    """A fact, and a question that it answers."""

    subject: str
    relation: str
    object: str
    question: str


def invent(count: int, seed: int = 0) -> list[InventedFact]:
    """``count`` facts, the same for the same seed; no two of one subject and relation."""
    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    facts: dict[tuple[str, str], InventedFact] = {}
    while len(facts) < count:
        for fact in _numbered(rng) if rng.random() < 0.2 else _named(rng):
            # A name that comes up again would make two answers to one question.
            facts.setdefault((fact.subject, fact.relation), fact)
    return list(facts.values())[:count]


def _named(rng: random.Random) -> list[InventedFact]:
    """One subject and its relations."""
    pattern, relations = rng.choice(_TOPICS)
    subject = pattern.format(name=_name(rng), surname=_name(rng))
    return [
        InventedFact(subject, relation, _object(rng, kind), question.format(s=subject))
        for relation, question, kind in relations
    ]


def _numbered(rng: random.Random) -> list[InventedFact]:
    """Several subjects that differ only in a number, and their relations."""
    pattern, relations = rng.choice(_NUMBERED)
    name, first = _name(rng), rng.randint(1, 14)
    facts = []
    for n in range(first, first + _SIBLINGS):
        subject = pattern.format(name=name, n=n)
        for relation, question, kind in relations:
            asked = question.format(s=subject, name=name, nth=_ordinal(n))
            facts.append(InventedFact(subject, relation, _object(rng, kind), asked))
    return facts


def _ordinal(n: int) -> str:
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(n % 10 if n not in (11, 12, 13) else 0, "th")
    return f"{n}{suffix}"


def _object(rng: random.Random, kind: str) -> str:
    if kind == "thing":
        return rng.choice(_THINGS)
    if kind == "colour":
        return rng.choice(_COLOURS)
    if kind == "place":
        return _name(rng) + rng.choice(_PLACES)
    if kind == "company":
        return f"{_name(rng)} {rng.choice(('Trust', 'Holdings', 'Society'))}"
    return f"{_name(rng)} {_name(rng)}"


def _name(rng: random.Random) -> str:
    syllables = rng.choice((1, 2, 2))
    word = "".join(rng.choice(_ONSETS) + rng.choice(_NUCLEI) for _ in range(syllables))
    return (word + rng.choice(_CODAS)).capitalize()
