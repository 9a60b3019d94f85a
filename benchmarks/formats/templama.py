"""TempLAMA (Dhingra et al. 2022, arXiv 2106.15110): clozes with an answer for each year.

JSON Lines with ``query`` ("Valentino Rossi plays for _X_."), ``answer`` (a list of ``name``),
``date`` (a year), ``id`` and ``relation``. Years that follow one another with one answer are
one fact. A cloze becomes a question, since that is what the systems answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from benchmarks.formats.collected import Collected, read_json_lines
from benchmarks.formats.properties import label
from benchmarks.schema import BenchmarkError


@dataclass(frozen=True, slots=True)
class _Cloze:
    pattern: re.Pattern[str]
    question: str


def _cloze(pattern: str, question: str) -> _Cloze:
    return _Cloze(re.compile(pattern), question)


_CLOZES = {
    "P54": _cloze(r"(.+) plays for _X_\.", "Which team does {} play for?"),
    "P39": _cloze(r"(.+) holds the position of _X_\.", "Which position does {} hold?"),
    "P102": _cloze(r"(.+) is a member of the _X_\.", "Which party is {} a member of?"),
    "P69": _cloze(r"(.+) attended _X_\.", "Which school does {} attend?"),
    "P108": _cloze(r"(.+) works for _X_\.", "Who does {} work for?"),
    "P127": _cloze(r"(.+) is owned by _X_\.", "Who owns {}?"),
    "P286": _cloze(r"_X_ is the head coach of (.+)\.", "Who is the head coach of {}?"),
    "P6": _cloze(r"_X_ is the head of the government of (.+)\.", "Who heads the government of {}?"),
    "P488": _cloze(r"_X_ is the chair of (.+)\.", "Who is the chair of {}?"),
}


def read(path: Path) -> Collected:
    """Questions of kind ``interval``, each asked in its year. Raises BenchmarkError for a cloze of
    another form.
    """
    found = Collected("templama")
    records = [
        (_asked(record["query"], record["relation"]), record) for record in read_json_lines(path)
    ]
    years: dict[tuple[str, str, str], set[int]] = {}
    for (subject, _), record in records:
        for answer in record["answer"]:
            held = years.setdefault((subject, record["relation"], answer["name"]), set())
            held.add(int(record["date"]))
    ids: dict[tuple[str, str, str, int], str] = {}
    for (subject, relation, object), held in years.items():
        for first, last in runs(held):
            fact = found.fact(subject, label(relation), object, str(first), str(last + 1))
            ids |= {(subject, relation, object, year): fact for year in range(first, last + 1)}
    for (subject, question), record in records:
        names = [answer["name"] for answer in record["answer"]]
        year = int(record["date"])
        found.question(
            question,
            names,
            "interval",
            facts=[ids[subject, record["relation"], name, year] for name in names],
            hops=1,
            as_of=record["date"],
        )
    return found


def runs(years: set[int]) -> list[tuple[int, int]]:
    """The first and last year of each unbroken run, in order."""
    found: list[tuple[int, int]] = []
    for year in sorted(years):
        if found and found[-1][1] == year - 1:
            found[-1] = (found[-1][0], year)
        else:
            found.append((year, year))
    return found


def _asked(query: str, relation: str) -> tuple[str, str]:
    """The subject of a cloze, and the question that it becomes."""
    cloze = _CLOZES.get(relation)
    match = cloze.pattern.fullmatch(query.strip()) if cloze else None
    if cloze is None or match is None:
        raise BenchmarkError(f"{query!r} is no cloze of TempLAMA's for {relation}")
    return match[1], cloze.question.format(match[1])
