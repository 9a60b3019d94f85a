"""Does the graph know what is asked for? Where it does not, saying so is the right answer.

Two things can be wrong with the best fact that was found. It may be about a neighbour: "the 3rd
district" is not the 2nd, and who asks for Ann Jarvis is not helped by Ann Davies. Or it may tell
something else about the right one: "Who won the 1954 Tour de France?" finds France, and its
president. What gives either away is read here as a few numbers, signs, which know nothing of any
graph's names or relations; dysk.calibration weighs them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
from rapidfuzz import fuzz

from dysk.candidates import Candidate, Query
from dysk.retrieval.encoder import Vectors, unit
from dysk.retrieval.keys import RELATION_WEIGHT
from dysk.retrieval.names import FUNCTION_WORDS, Word, content_stems, fold_name, stem, words_of
from dysk.retrieval.verbalize import spell_out
from dysk.sync import Syncer
from graph.interval import Period
from graph.store import Snapshot

LEAST_SCORE = 0.5
"""Coarse score under which the best fact has nothing to do with the question (docs/log.md)."""
NEIGHBOURS = 8
"""So many candidates at least are needed to see whether the best stands out."""
FAR = 0.4
"""A rival that trails by more in score is no rival."""
_NEAR = 0.1
"""Up to here every bit of a lead counts more."""
_SAMPLE = 64
_COMMON = 0.1
"""Share of the entities that have a relation by which another one is common among them."""
_NO_RIVAL = -0.3
_SURELY = 0.8
"""Mention score from which an entity is named for certain."""
_LONG, _NEARLY = 5, 85.0
"""Letters of a word that may be a slip, and percent of them in common with what was meant."""
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Signs:
    """What tells whether the best fact is about the entity asked for, and tells what is asked."""

    entity: tuple[float, ...]
    """How surely its subject is named, and by how much more another is; capitalised words that its
    name has (halves, at most 1), and those that it has not, beside or within it and elsewhere
    (thirds, at most 1); by how much
    it leads before the next subject, as a share of _NEAR and of FAR; cosine of subject and
    question; share of its name that the question has; does a number differ."""
    relation: tuple[float, ...]
    """Cosine of the relation and of what the question says beside the name; by how much a relation
    fits better that the subject lacks and its like have, there and within the key."""


def read_signs(
    found: Sequence[Candidate], query: Query, syncer: Syncer, snapshot: Snapshot, as_of: Period
) -> Signs:
    """The signs of ``found[0]``; further candidates are what it must stand out from."""
    subject, relation = found[0].slot
    encoder = syncer.encoder
    of_subject = encoder.encode([subject])[0]
    absent = _absent(subject, relation, syncer, snapshot, as_of)
    names = encoder.encode([spell_out(name) for name in (relation, *absent)])
    beside = encoder.encoder.encode([_beside_the_name(query, subject)])[0]
    fits = names @ beside
    keys = unit(of_subject + RELATION_WEIGHT * names) @ query.vector
    return Signs(
        entity=_entity_signs(found, query, snapshot.aliases(subject), of_subject),
        relation=(float(fits[0]), _lead(fits), _lead(keys)),
    )


def _entity_signs(
    found: Sequence[Candidate], query: Query, aliases: Sequence[str], of_subject: Vectors
) -> tuple[float, ...]:
    subject, relation = found[0].slot
    scores = {mention.entity: mention.score for mention in query.mentions}
    named = scores.pop(subject, 0.0)
    lead = found[0].score - max((c.score for c in found if c.slot[0] != subject), default=-1.0)
    words = words_of(query.text)
    stems = {stem(word.folded) for word in words}
    name = content_stems(fold_name(subject).split())
    own = set(content_stems(fold_name(" ".join((subject, *aliases, spell_out(relation)))).split()))
    shared, beside, elsewhere = _capitals(query, subject, words, own, is_sure=named >= _SURELY)
    return (
        named,
        max(0.0, max(scores.values(), default=0.0) - named),
        min(shared, 2) / 2,
        min(beside, 3) / 3,
        min(elsewhere, 3) / 3,
        min(_NEAR, lead) / _NEAR,
        min(FAR, lead) / FAR,
        float(of_subject @ query.vector),
        max(named, sum(each in stems for each in name) / max(1, len(name))),
        float(_numbers_differ(query.text, subject)),
    )


def _capitals(
    query: Query, subject: str, words: Sequence[Word], own: Set[str], *, is_sure: bool
) -> tuple[int, int, int]:
    """Capitalised words that the subject's name has; those that it has not, in one run with it, and
    elsewhere. Where nothing of the name stands in the question, all are taken for another name.
    ``is_sure`` where the words of the mention are the subject's whatever they are, as initials.
    """
    shared, foreign = set[int](), set[int]()
    for place, word in enumerate(words):
        if query.text[word.start].isupper() and word.folded not in FUNCTION_WORDS:
            if _is_one_of(stem(word.folded), own):
                shared.add(place)
            elif word.start > 0:  # any word begins a question with a capital
                foreign.add(place)
    named = {
        place
        for mention in query.mentions
        if mention.entity == subject
        for place, word in enumerate(words)
        if mention.start <= word.start and word.end <= mention.end
    }
    run = shared | named
    if not run:
        return 0, len(foreign), 0
    for step in (1, -1):
        for place in sorted(foreign, key=lambda place: step * place):
            if place - step in run and _touch(query.text, words, min(place, place - step)):
                run.add(place)
    if is_sure:
        shared, foreign = shared | named, foreign - named
    return len(shared), len(foreign & run), len(foreign - run)


def _is_one_of(word: str, own: Set[str]) -> bool:
    """Whether the word is one of these, or nearly: people misspell names."""
    return word in own or (
        len(word) >= _LONG and any(fuzz.ratio(word, each) >= _NEARLY for each in own)
    )


def _touch(text: str, words: Sequence[Word], place: int) -> bool:
    """Whether only a space is between a word and the next: no comma, no possessive."""
    return text[words[place].end : words[place + 1].start] == " "


def _numbers_differ(question: str, subject: str) -> bool:
    asked, named = set(_NUMBER.findall(question)), set(_NUMBER.findall(subject))
    return bool(asked - named) and bool(named - asked)


def _beside_the_name(query: Query, subject: str) -> str:
    """The question with "it" for the words that name the subject."""
    for mention in query.mentions:
        if mention.entity == subject:
            return f"{query.text[: mention.start]}it{query.text[mention.end :]}"
    return query.text


def _absent(
    subject: str, relation: str, syncer: Syncer, snapshot: Snapshot, as_of: Period
) -> list[str]:
    """Relations that are common among the subject's like, of which nothing holds for itself."""
    like = {fact.subject for fact in snapshot.facts(relation=relation, limit=_SAMPLE)}
    counts = Counter(
        slot[1]
        for each in like
        for slot in syncer.slots(syncer.slots_of(each)[:_SAMPLE])
        if slot is not None
    )
    common = {name for name, count in counts.items() if count >= _COMMON * len(like)}
    held = {slot[1] for slot in snapshot.slots([(subject, name) for name in common], as_of)}
    return sorted(common - held - {relation})


def _lead(fits: Vectors) -> float:
    """By how much the best of the others is ahead of the first."""
    return float(np.max(fits[1:]) - fits[0]) if len(fits) > 1 else _NO_RIVAL
