"""Do the words spoken agree with the fact attended? Text compared as people would compare it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from dysk.retrieval.verbalize import spell_out_date

_NOT_WORDS = re.compile(r"[^\w]+")
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
