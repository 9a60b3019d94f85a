"""Does the graph know what is asked for? Where it does not, saying so is the right answer.

A question may name someone whom the graph knows and ask what it does not know of him: "Who won the
1954 Tour de France?" finds France, and its president. Such a fact scores high for its subject
alone. What gives it away is that another relation of the graph, one that this subject lacks, would
fit the question clearly better. Or the right subject is missing, and a neighbour stands in for it:
then the question names another entity, or another number ("the 3rd district" is not the 2nd).
"""

from __future__ import annotations

import re

from dysk.candidates import Candidate, Query
from dysk.retrieval.encoder import unit
from dysk.retrieval.keys import RELATION_WEIGHT
from dysk.retrieval.verbalize import spell_out
from dysk.sync import Syncer

LEAST_SCORE = 0.5
"""Coarse score under which the best fact has nothing to do with the question."""
CLEARLY = 0.1
"""By how much in cosine a relation that the subject lacks must fit better. Both: docs/log.md."""
_SURELY, _HARDLY = 0.8, 0.5
"""Mention scores from which an entity is named for certain, and under which it is not."""
_NUMBER = re.compile(r"\d+")


def is_relevant(best: Candidate, query: Query, syncer: Syncer) -> bool:
    """Whether the best candidate may answer, as far as its subject and relation tell."""
    if best.score < LEAST_SCORE:
        return False
    subject, relation = best.slot
    if _names_another(query, subject) or _numbers_differ(query.text, subject):
        return False
    return not _another_relation_fits(subject, relation, query, syncer)


def _names_another(query: Query, subject: str) -> bool:
    score = {mention.entity: mention.score for mention in query.mentions}
    return score.get(subject, 0.0) < _HARDLY and max(score.values(), default=0.0) >= _SURELY


def _numbers_differ(question: str, subject: str) -> bool:
    asked, named = set(_NUMBER.findall(question)), set(_NUMBER.findall(subject))
    return bool(asked - named) and bool(named - asked)


def _another_relation_fits(subject: str, relation: str, query: Query, syncer: Syncer) -> bool:
    present = {slot[1] for slot in syncer.slots(syncer.slots_of(subject)) if slot}
    absent = [name for name in syncer.relations() if name not in present]
    if not absent:
        return False
    of_subject = syncer.encoder.encode([subject])
    names = [spell_out(name) for name in (relation, *absent)]
    keys = unit(of_subject + RELATION_WEIGHT * syncer.encoder.encode(names))
    fits = keys @ query.vector
    return bool(fits[1:].max() - fits[0] > CLEARLY)
