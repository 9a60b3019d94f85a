"""Names and questions cut into comparable words: what makes "IOWA’s" and "Iowa" the same.

Case, accents, punctuation and possessives are folded away; numbers are kept whole, so "12th" is
not "2nd" and "3.11" is not "3.1".
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# Dotted initials are one word ("U.S.", "J. K."), a point or comma between digits joins ("3.11",
# "1,000"), and a sign that tells two names apart stays ("C" and "C++").
_LETTER = r"[^\W_][\u0300-\u036f]*"  # with its accents, where they stand apart
_WORD = re.compile(
    r"[^\W\d_]\.(?:\s?[^\W\d_]\.)+"
    rf"|(?:{_LETTER})+(?:(?:['’]|(?<=\d)[.,](?=\d))(?:{_LETTER})+)*(?:\+\+|#)?['’]?"
    r"|&"
)
_POSSESSIVE = re.compile(r"['’][sS]?$")
_REMARK = re.compile(r"\s*\([^()]*\)\s*$")
# Letters with a stroke or joined do not decompose into a letter and an accent.
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)
_FUNCTION_WORDS_TEXT = (
    "a an and are as at be been by did do does for from had has have he her his how if in into is "
    "it its many me much my no not of on or our she so that the their them there they this to was "
    "we were what when where which who whom whose why will with you your"
)
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS_TEXT.split())
"""Articles, prepositions, pronouns, question words, auxiliaries: they name nothing alone."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: ``folded`` for comparison, and where it stands, ``text[start:end]``."""

    folded: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """The words of a text in order; punctuation gives none, ``&`` reads as "and"."""
    found = []
    for match in _WORD.finditer(text):
        folded = _fold(match[0])
        if folded:
            end = match.start() + len(_POSSESSIVE.sub("", match[0]))
            found.append(Word(folded, match.start(), end))
    return found


def fold_name(name: str) -> str:
    """The folded words of a name joined by spaces, without a leading "the"; may be empty."""
    words = [word.folded for word in words_of(name)]
    return " ".join(words[1:] if len(words) > 1 and words[0] == "the" else words)


def short_forms(name: str) -> set[str]:
    """Folded forms that people use for a longer name: without its bracketed remark, and initials.

    "Mira Tan (chemist)" → "mira tan"; "International Union of Ports" → "iuop" and "iup". Initials
    need three words at least: those of shorter names fit too many.
    """
    base = _REMARK.sub("", name)
    words = fold_name(base).split()
    forms = {" ".join(words)} if base != name and words else set()
    for chosen in (words, [word for word in words if word not in FUNCTION_WORDS]):
        if len(chosen) >= 3 and not any(map(has_digit, chosen)):
            forms.add("".join(word[0] for word in chosen))
    return forms


def content_stems(folded: list[str]) -> list[str]:
    """Distinct stems of the content words; of all words where there are no others ("The Who")."""
    content = [word for word in folded if word not in FUNCTION_WORDS]
    return list(dict.fromkeys(map(stem, content or folded)))


def stem(folded: str) -> str:
    """A word without its plural s: for comparison word by word, where endings may differ."""
    is_plural = len(folded) > 3 and folded.endswith("s") and not folded.endswith("ss")
    return folded[:-1] if is_plural and not has_digit(folded) else folded


def has_digit(word: str) -> bool:
    """Whether the word is or contains a number, which must agree where other words may not."""
    return not word.isalpha() and any(character.isdigit() for character in word)


def _fold(word: str) -> str:
    if word == "&":
        return "and"
    letters = unicodedata.normalize("NFKD", _POSSESSIVE.sub("", word).casefold())
    folded = "".join(c for c in letters if c.isalnum() or c in ".+#").translate(_LETTERS)
    return folded.strip(".") if has_digit(folded) else folded.replace(".", "")
