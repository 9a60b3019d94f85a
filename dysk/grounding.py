"""Do the words spoken agree with the fact attended? Text compared as people would compare it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from rapidfuzz import fuzz

from dysk.retrieval.verbalize import spell_out_date

_NEARLY = 85.0
"""Percent of characters in common (rapidfuzz ratio) from which a spelling means the name."""
_SHORTEST = 6
_NOT_WORDS = re.compile(r"[^\w]+")
_WORD = re.compile(r"\w+")
_MONTH_DAY = re.compile(r"(?P<month>[A-Z][a-z]+) (?P<day>\d{1,2}), (?P<year>\d+)")


def speaks(text: str, name: str) -> bool:
    """True when ``text`` contains ``name``, or the date that it writes, as whole words.

    Case, accents and punctuation do not count.
    """
    padded = f" {normalise(text)} "
    return any(f" {form} " in padded for form in _forms(name) if form)


def first_spoken(text: str, names: Iterable[str]) -> str | None:
    """The first of ``names`` that the text speaks."""
    return next((name for name in names if speaks(text, name)), None)


def respelled(text: str, name: str) -> str | None:
    """``text`` with its nearly right spelling of ``name`` made right; None where it has none.

    A small model that copies "Coburn" may say "Cobburn". Names with digits are left alone: another
    number is another thing.
    """
    if len(name) < _SHORTEST or any(c.isdigit() for c in name):
        return None
    words = [match.span() for match in _WORD.finditer(text)]
    count = len(_WORD.findall(name))
    # A slip may split or join a word, so stretches of one word more or less compete too.
    stretches = [
        (words[first][0], words[first + length - 1][1])
        for length in range(max(1, count - 1), count + 2)
        for first in range(len(words) - length + 1)
    ]
    scored = [(fuzz.ratio(text[a:b].casefold(), name.casefold()), a, b) for a, b in stretches]
    score, start, end = max(scored, default=(0.0, 0, 0))
    return text[:start] + name + text[end:] if score >= _NEARLY else None


def opening(sentence: str, name: str) -> str:
    """A fact's sentence up to its object; empty where the object comes first or is not found."""
    at = sentence.rfind(spell_out_date(name))
    return sentence[:at].rstrip() if at > 0 else ""


def normalise(text: str) -> str:
    """Lower case, without accents, runs of anything but letters and digits made one space."""
    # Decomposed twice: some letters have a case only once they are decomposed, as 𝓐 does.
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = "".join(c for c in plain if not unicodedata.combining(c))
    return _NOT_WORDS.sub(" ", kept).strip()


def _forms(name: str) -> list[str]:
    """A name as itself; a date as October 24, 1978, as 24 October 1978 and as 1978-10-24."""
    spelled = spell_out_date(name)
    forms = [normalise(name), normalise(spelled)]
    match = _MONTH_DAY.fullmatch(spelled)
    if match:
        forms.append(normalise(f"{match['day']} {match['month']} {match['year']}"))
    return forms
