"""Dates and numbers as the asker writes them.

The graph keeps 1978-10-24. Who asks "in which year" wants 1978, who writes 3 May 2001 in the
question wants 24 October 1978, and who groups digits in threes gets them grouped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dysk.retrieval.verbalize import MONTHS, spell_out_date

_ISO = re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)(?:-(?P<day>\d\d))?")
_MONTH = "|".join(MONTHS)
_DAY_FIRST = re.compile(rf"\b\d{{1,2}}(?:st|nd|rd|th)? (?:of )?(?:{_MONTH})\b", re.IGNORECASE)
_ASKS_YEAR = re.compile(r"\b(?:which|what) year\b", re.IGNORECASE)
_ASKS_MONTH = re.compile(r"\b(?:which|what) month\b", re.IGNORECASE)
_GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_PLAIN = re.compile(r"(?<![\d.,])\d{5,}(?![\d,])")
_WHOLE_NUMBER = re.compile(r"-?\d{1,3}(?:,\d{3})+|-?\d{5,}")


@dataclass(frozen=True, slots=True)
class Naming:
    """How things may be called in an answer to ``question``; ``names`` gives all that an entity is
    called, itself first.
    """

    question: str
    names: Callable[[str], Sequence[str]]

    def wanted(self, entity: str) -> list[str]:
        """The asker's form of each name."""
        return list(
            dict.fromkeys(in_askers_form(name, self.question) for name in self.names(entity))
        )

    def accepted(self, entity: str) -> list[str]:
        """The asker's forms, and the names as the graph writes them."""
        return list(dict.fromkeys([*self.wanted(entity), *self.names(entity)]))


def in_askers_form(name: str, question: str) -> str:
    """``name``, where it is a date or a whole number of five digits and more as the question
    writes or wants such; anything else as it is.
    """
    if _WHOLE_NUMBER.fullmatch(name):
        return _number(name, question)
    date = _ISO.fullmatch(name)
    spelled = spell_out_date(name)
    if date is None or spelled == name:
        return name
    year = f"{int(date['year'])}"
    if _ASKS_YEAR.search(question):
        return year
    month = MONTHS[int(date["month"]) - 1]
    if date["day"] is None or _ASKS_MONTH.search(question):
        return f"{month} {year}"
    if _ISO.search(question):
        return name
    return f"{int(date['day'])} {month} {year}" if _DAY_FIRST.search(question) else spelled


def _number(name: str, question: str) -> str:
    if _GROUPED.search(question):
        return f"{int(name.replace(',', '')):,}"
    return name.replace(",", "") if _PLAIN.search(question) else name
