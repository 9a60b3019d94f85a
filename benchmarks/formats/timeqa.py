"""TimeQA (Chen, Wang and Wang 2021, arXiv 2108.06314), the human-annotated files.

A JSON array of pages; of each are read ``link``, ``type`` (a Wikidata property) and ``questions``,
pairs of a text and its answers. The time stands in the question alone ("from Aug 1995 to 2002"), so
the fact gets the interval that its question names. A question whose time is not spelled out that
way makes no fact and is left out; one with no answer is kept as unanswerable.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from benchmarks.formats.collected import Collected, read_json
from benchmarks.formats.properties import label

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_POINT = rf"(?:(?:{'|'.join(_MONTHS)})[a-z]*\.?,?\s+)?[12]\d{{3}}"
_SPAN = re.compile(
    rf"\b(?:from|between)\s+(?P<start>{_POINT})\s+(?:to|and|until|till)\s+(?P<end>{_POINT})",
    re.IGNORECASE,
)
_YEAR = re.compile(rf"\bin\s+(?P<start>{_POINT})", re.IGNORECASE)


def read(path: Path) -> Collected:
    """Questions of kind ``interval``, asked at the start of theirs, and ``unanswerable`` ones."""
    found = Collected("timeqa")
    for page in read_json(path):
        subject = unquote(page["link"].removeprefix("/wiki/")).replace("_", " ")
        for text, answered in page["questions"]:
            interval = interval_of(text)
            if interval is None:
                continue
            start, end = interval
            answers = [each["answer"] for each in answered if each["answer"]]
            facts = [
                found.fact(subject, label(page["type"]), answer, start, end) for answer in answers
            ]
            found.question(
                text,
                answers,
                "interval" if answers else "unanswerable",
                facts=facts,
                hops=1 if facts else None,
                as_of=start,
            )
    return found


def interval_of(question: str) -> tuple[str, str] | None:
    """The half-open interval that a question names; None where it names none in the set's way."""
    span = _SPAN.search(question)
    if span is not None:
        start, end = _date(span["start"]), _date(span["end"])
        return (start, end if end > start else _after(start))
    year = _YEAR.search(question)
    if year is None:
        return None
    start = _date(year["start"])
    return start, _after(start)


def _date(text: str) -> str:
    year = text[-4:]
    month = text[:3].lower()
    return f"{year}-{_MONTHS.index(month) + 1:02d}" if month in _MONTHS else year


def _after(date: str) -> str:
    year, _, month = date.partition("-")
    if not month:
        return f"{int(year) + 1:04d}"
    return f"{int(year) + 1:04d}-01" if month == "12" else f"{year}-{int(month) + 1:02d}"
