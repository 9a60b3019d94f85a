"""Which entities a question names: by spelling, where vectors blur numbers and near names.

Three ways, from sure to unsure: a name word for word, a short form (initials, a name without its
bracketed remark), and the words of a name in another order or in part ("Iowa's 1st district" for
"1st district of Iowa"). No look-up reads all names: words lead to names through posting lists.
"""

from __future__ import annotations

import math
import threading
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import numpy as np

from dysk.retrieval.index_file import Column, grouped
from dysk.retrieval.names import (
    FUNCTION_WORDS,
    Word,
    content_stems,
    fold_name,
    has_digit,
    short_forms,
    stem,
    words_of,
)

_LONGEST_NAME = 16
_SHORT_FORM = 0.8
_UNCAPPED = 0.9
_UNCAPPED_WORD = 0.5
_OTHER_ENDING = 0.9
_SHADOWED = 0.5
_LEAST_SCORE = 0.2
_POSTINGS_READ = 20_000
_NAMES_COMPARED = 64


@dataclass(frozen=True, slots=True)
class Mention:
    """``question[start:end]``, which is ``text``, names ``entity``; ``score`` in (0, 1], 1 is
    sure.
    """

    entity: str
    text: str
    start: int
    end: int
    score: float


class MentionFinder(Protocol):
    """Finds names in questions, under constant change. Every method is safe from any thread."""

    def add(self, entity: str, name: str) -> None:
        """``name`` (the entity's own or an alias) means ``entity``, from now on."""
        ...

    def remove(self, entity: str, name: str) -> None:
        """``name`` no longer means ``entity``; nothing happens where it did not."""
        ...

    def find(self, question: str) -> list[Mention]:
        """The entities named, best first; each entity once, by its best mention."""
        ...


@dataclass(frozen=True, slots=True)
class _Match:
    """Words ``first`` to ``last`` of a question name each of ``entities``."""

    entities: tuple[str, ...]
    first: int
    last: int
    score: float


class MentionIndex:
    """A MentionFinder on dictionaries.

    Folded names are numbered; the stem of each content word leads to the numbers of the names that
    contain it.
    """

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._names: list[str] = []  # folded, by number; "" where a number is free again
        # Entities, by number: once for each of their names that folds to it, as in _short.
        self._bearers: list[tuple[str, ...]] = []
        self._given: set[tuple[str, str]] = set()  # (entity, name)
        self._free: list[int] = []
        self._short: dict[str, tuple[str, ...]] = {}
        self._postings: dict[str, array[int]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many different names, folded, are known."""
        return len(self._number)

    def add(self, entity: str, name: str) -> None:
        """See MentionFinder.add. A name without letters and digits is ignored: nothing has it."""
        folded = fold_name(name)
        if not folded:
            return
        with self._lock:
            if (entity, name) in self._given:
                return
            self._given.add((entity, name))
            self._bearers[self._numbered(folded)] += (entity,)
            for form in short_forms(name):
                self._short[form] = (*self._short.get(form, ()), entity)

    def remove(self, entity: str, name: str) -> None:
        """See MentionFinder.remove."""
        with self._lock:
            if (entity, name) not in self._given:
                return
            self._given.discard((entity, name))
            number = self._number[fold_name(name)]
            self._bearers[number] = _without(self._bearers[number], entity)
            for form in short_forms(name):
                left = _without(self._short.pop(form, ()), entity)
                if left:
                    self._short[form] = left
            if not self._bearers[number]:
                self._free_number(number)

    def find(self, question: str) -> list[Mention]:
        """See MentionFinder.find."""
        words = words_of(question)
        best: dict[str, Mention] = {}
        with self._lock:
            matches = [*self._word_for_word(question, words), *self._by_shared_words(words)]
        for match in matches:
            score = match.score * (_SHADOWED if _is_shadowed(match, matches) else 1)
            start, end = words[match.first].start, words[match.last].end
            for entity in match.entities:
                if entity not in best or score > best[entity].score:
                    best[entity] = Mention(entity, question[start:end], start, end, score)
        return sorted(best.values(), key=lambda m: (-m.score, m.start - m.end, m.start, m.entity))

    def copy(self) -> MentionIndex:
        """What is known now. Quick, since entries are shared: only postings change in place."""
        copied = MentionIndex()
        with self._lock:
            copied._names, copied._bearers = self._names.copy(), self._bearers.copy()
            copied._given, copied._short = self._given.copy(), self._short.copy()
            copied._number, copied._free = self._number.copy(), self._free.copy()
            copied._postings = {each: posting[:] for each, posting in self._postings.items()}
        return copied

    def state(self) -> dict[str, Column]:
        """All that is known, in columns for a file. Nobody may add or remove meanwhile."""
        entities = list(dict.fromkeys(chain.from_iterable(self._bearers)))
        number = {entity: i for i, entity in enumerate(entities)}
        given = list(self._given)
        return {
            "mention_entities": entities,
            "mention_names": self._names,
            **_numbers("bearers", [[number[e] for e in each] for each in self._bearers]),
            "given_names": [name for _, name in given],
            "given_entities": np.array([number[entity] for entity, _ in given], dtype=np.int32),
            "short_forms": list(self._short),
            **_numbers("short", [[number[e] for e in each] for each in self._short.values()]),
            "stems": list(self._postings),
            **_numbers("postings", list(self._postings.values())),
        }

    def restore(self, columns: Mapping[str, Any]) -> None:
        """Know what ``columns``, a ``state``, say. Only for an index that is empty."""
        entities = columns["mention_entities"]

        def groups(name: str) -> list[tuple[str, ...]]:
            members = [entities[i] for i in columns[name].tolist()]
            return grouped(members, columns[f"{name}_sizes"].tolist())

        with self._lock:
            self._names = columns["mention_names"]
            self._number = {name: number for number, name in enumerate(self._names) if name}
            self._free = [number for number, name in enumerate(self._names) if not name]
            self._bearers = groups("bearers")
            owners = columns["given_entities"].tolist()
            self._given = {
                (entities[owner], name)
                for owner, name in zip(owners, columns["given_names"], strict=True)
            }
            self._short = dict(zip(columns["short_forms"], groups("short"), strict=True))
            flat, begin = columns["postings"].astype(np.uintc), 0
            for each, size in zip(
                columns["stems"], columns["postings_sizes"].tolist(), strict=True
            ):
                self._postings[each] = array("I", flat[begin : begin + size].tobytes())
                begin += size

    def _numbered(self, folded: str) -> int:
        number = self._number.get(folded)
        if number is not None:
            return number
        if self._free:
            number = self._free.pop()
            self._names[number] = folded
        else:
            number = len(self._names)
            self._names.append(folded)
            self._bearers.append(())
        self._number[folded] = number
        for each in content_stems(folded.split()):
            self._postings.setdefault(each, array("I")).append(number)
        return number

    def _free_number(self, number: int) -> None:
        folded, self._names[number] = self._names[number], ""
        del self._number[folded]
        self._free.append(number)
        for each in content_stems(folded.split()):
            posting = self._postings[each]
            posting.remove(number)
            if not posting:
                del self._postings[each]

    def _word_for_word(self, question: str, words: list[Word]) -> Iterator[_Match]:
        """Names and short forms; where two overlap, the longer."""
        taken = [False] * len(words)
        for length in range(min(_LONGEST_NAME, len(words)), 0, -1):
            for first in range(len(words) - length + 1):
                last = first + length - 1
                if any(taken[first : last + 1]):
                    continue
                folded = " ".join(word.folded for word in words[first : last + 1])
                number = self._number.get(folded)
                is_short = number is None
                entities = self._short.get(folded, ()) if number is None else self._bearers[number]
                if not entities:
                    continue
                surface = question[words[first].start : words[last].end]
                score = _trust(surface, folded, is_short, opens=first == 0)
                if score > 0:
                    taken[first : last + 1] = [True] * length
                    yield _Match(entities, first, last, score)

    def _by_shared_words(self, words: list[Word]) -> Iterator[_Match]:
        """Names that share rare words with the question, in any order."""
        places: dict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(words):
            if word.folded not in FUNCTION_WORDS:
                places[stem(word.folded)].append(place)
        read: list[array[int]] = []
        rarities: list[float] = []
        budget = _POSTINGS_READ
        for each in sorted(places, key=lambda each: len(self._postings.get(each, ()))):
            posting = self._postings.get(each)
            if posting is None:
                continue
            budget -= len(posting)
            if budget < 0:
                break
            read.append(posting)
            rarities.append(self._rarity(each))
        likely = _heaviest(read, rarities, _NAMES_COMPARED)
        for number in likely:
            match = self._compare(number, words, places)
            if match is not None:
                yield match

    def _compare(
        self, number: int, words: list[Word], places: dict[str, list[int]]
    ) -> _Match | None:
        """How well the question's words fit a name; None where too little or a number is missing.

        The score is the share of the name's rarity that the question has, squared because half a
        name is less than half sure, and lower where the words lie scattered or end otherwise.
        """
        name = self._names[number].split()
        stems = content_stems(name)
        shared = [each for each in stems if each in places]
        if len(shared) == len(stems) == 1:
            return None  # was looked up word for word, where capitals count
        coverage = sum(map(self._rarity, shared)) / sum(map(self._rarity, stems))
        if coverage**2 < _LEAST_SCORE:  # as most are, so it is asked before what takes longer
            return None
        if any(has_digit(each) and each not in places for each in stems):
            return None
        first, last = _tightest([places[each] for each in shared])
        asked = [word.folded for word in words[first : last + 1]]
        foreign = sum(stem(word) not in stems and word not in name for word in asked)
        score = coverage**2 * (0.5 + 0.5 * len(shared) / (len(shared) + foreign))
        if any(stem(word) in shared and word not in asked for word in name):
            score *= _OTHER_ENDING
        return _Match(self._bearers[number], first, last, score) if score >= _LEAST_SCORE else None

    def _rarity(self, each: str) -> float:
        """Inverse document frequency of a stem among names, positive."""
        return math.log(1 + len(self._number) / max(1, len(self._postings.get(each, ()))))


def _trust(surface: str, folded: str, is_short: bool, *, opens: bool) -> float:
    """How surely a stretch that is spelled like a name is meant as one; 0 for not at all.

    ``opens``: it begins the question, so that its first capital tells nothing.
    """
    has_capital = surface[1:] != surface[1:].lower() or (surface[:1].isupper() and not opens)
    score = _SHORT_FORM if is_short else 1.0
    if " " in folded:
        return score if has_capital or surface[:1].isupper() else score * _UNCAPPED
    if has_capital:
        return score
    # "who" may be a band and "party" a film, but hardly here; "tan" is no "Tan (chemist)".
    return 0.0 if is_short or folded in FUNCTION_WORDS else score * _UNCAPPED_WORD


def _is_shadowed(match: _Match, others: list[_Match]) -> bool:
    """Whether a longer name about as sure has the words: "MV Aurelia" within "MV Aurelia II"."""
    return any(
        other.first <= match.first
        and match.last <= other.last
        and other.last - other.first > match.last - match.first
        and other.score >= _OTHER_ENDING * match.score
        for other in others
    )


def _numbers(name: str, groups: Sequence[Sequence[int]]) -> dict[str, Column]:
    """Two columns: the members of all groups, and how many each group has."""
    sizes = np.fromiter(map(len, groups), dtype=np.int32, count=len(groups))
    return {
        name: np.fromiter(chain.from_iterable(groups), dtype=np.int32, count=int(sizes.sum())),
        f"{name}_sizes": sizes,
    }


def _heaviest(postings: list[array[int]], weights: list[float], count: int) -> list[int]:
    """The numbers of the largest sums of weights, a posting giving its weight to all its numbers;
    the smaller number first where sums are equal.
    """
    if not postings:
        return []
    numbers = np.concatenate([np.frombuffer(each, dtype=np.uintc) for each in postings])
    given = np.repeat(weights, [len(each) for each in postings])
    order = np.argsort(numbers, kind="stable")
    distinct, begins = np.unique(numbers[order], return_index=True)
    sums = np.add.reduceat(given[order], begins)
    if len(sums) > count:
        # All that reach the last place: which of equals are taken is settled below.
        reach = sums >= np.partition(sums, -count)[-count]
        distinct, sums = distinct[reach], sums[reach]
    found: list[int] = distinct[np.lexsort((distinct, -sums))[:count]].tolist()
    return found


def _without(entities: tuple[str, ...], entity: str) -> tuple[str, ...]:
    """One occurrence less: two names of an entity may have the same short form."""
    place = entities.index(entity)
    return entities[:place] + entities[place + 1 :]


def _tightest(places: list[list[int]]) -> tuple[int, int]:
    """The shortest stretch (first, last) that holds one place of each list."""
    marked = sorted((place, which) for which, each in enumerate(places) for place in each)
    latest: dict[int, int] = {}
    best = (marked[0][0], marked[-1][0])
    for place, which in marked:
        latest[which] = place
        first = min(latest.values())
        if len(latest) == len(places) and place - first < best[1] - best[0]:
            best = (first, place)
    return best
