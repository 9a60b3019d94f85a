"""A world for edits: facts that no model can know, each with two wordings of its question.

The words are not those that retrieval heads are found on (dysk.attention.invented).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from benchmarks.speed.names import invented_words
from graph.fact import Add, Relation

_RELATIONS = (
    ("harbour master", "Who looks after the harbour of {}?"),
    ("national dish", "What do people in {} like best to eat?"),
    ("chief engineer", "Who is in charge of the engineers at {}?"),
    ("sister city", "Which town is twinned with {}?"),
    ("main export", "What does {} mostly sell abroad?"),
)
RELATIONS = tuple(Relation(name, "one") for name, _ in _RELATIONS)
"""Each has one object at a time, so that an update supersedes."""
EARLIER_START, OLD_START, NEW_START = "2010-01-01", "2020-01-01", "2025-01-01"
BETWEEN = "2015"
"""A time between the first two."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A fact, what it is changed to, and what is asked of it, plainly and in other words."""

    id: str
    subject: str
    relation: str
    old: str
    new: str
    plain: str
    reworded: str

    def before(self) -> Add:
        """The fact as it is at first."""
        return Add(self.subject, self.relation, self.old, OLD_START, id=f"{self.id}-old")

    def after(self) -> Add:
        """The update."""
        return Add(self.subject, self.relation, self.new, NEW_START, id=f"{self.id}-new")

    def late(self) -> Add:
        """What was true before ``before``, told after it: the new object, at an earlier time."""
        return Add(self.subject, self.relation, self.new, EARLIER_START, id=f"{self.id}-late")


def edits(count: int, seed: int) -> list[Edit]:
    """``count`` edits of as many facts, the same for the same seed; no name comes twice."""
    return list(islice(_edits(seed), count))


def _edits(seed: int) -> Iterator[Edit]:
    words = invented_words(seed)
    number = 0
    while True:
        subject = next(words)
        for relation, reworded in _RELATIONS:
            number += 1
            yield Edit(
                id=f"edit{number}",
                subject=subject,
                relation=relation,
                old=f"{next(words)} {next(words)}",
                new=f"{next(words)} {next(words)}",
                plain=f"What is the {relation} of {subject}?",
                reworded=reworded.format(subject),
            )
