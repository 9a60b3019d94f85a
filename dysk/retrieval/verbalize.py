"""A fact as one English sentence: what the language model encodes and what evidence shows.

The sentence carries no validity dates: facts are filtered by time before the model reads them.
"""

from __future__ import annotations

import re

from graph.errors import InvalidTime
from graph.fact import Fact, Relation
from graph.interval import parse_date

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
"""Names of the months, January first."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_AUXILIARIES = _words(
    "is are was were be been has have had can could will would may might must does did"
)
_PREPOSITIONS = _words(
    "about above after against among around as at before below between by for from in inside "
    "into near of on onto over through to toward towards under until upon via with within "
    "without"
)
# Participles without -ed that begin names of relations such as "held by" or "born in".
_IRREGULAR = _words(
    "born bought built chosen drawn driven found given grown held hidden kept known laid led "
    "left lost made met owned paid put run seen sold sung sent set shot spoken spun taken "
    "taught told won worn written"
)
# Before a preposition most words in -ed are passive ("located in"); these are not ("graduated
# from").
_ACTIVE = _words(
    "appeared belonged collaborated competed converted debuted died emigrated graduated "
    "immigrated lived merged migrated moved participated performed played resided resigned "
    "retired served starred studied travelled voted worked"
)
# A lone word in -s may be a verb or a plural ("owns", "awards"): these verbs are common as
# relations.
_VERBS = _words(
    "accepts acquires adopts attends becomes belongs causes contains controls covers creates "
    "defines depends describes develops directs educates employs follows funds governs grants "
    "has hosts includes inhibits involves joins keeps knows leads likes lives loves maintains "
    "makes manages manufactures occupies operates owns performs plays precedes produces "
    "provides publishes receives represents requires runs sells serves speaks sponsors "
    "studies supplies supports targets teaches treats uses wears wins works writes"
)
_CAMEL_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def verbalize(fact: Fact, relation: Relation) -> str:
    """The relation's template filled in, or a generic wording that fits the relation's first and
    last word.
    """
    name = spell_out(fact.relation)
    template = relation.template or _generic_template(name)
    parts = {"{subject}": fact.subject, "{object}": spell_out_date(fact.object)}
    if template.endswith("{object}.") and parts["{object}"].endswith((".", "!", "?")):
        template = template[:-1]  # "Acme Inc." brings its own full stop
    # Both placeholders in one pass: a subject may itself contain "{object}".
    sentence = re.sub(r"\{(?:subject|object)\}", lambda match: parts[match[0]], template)
    return sentence[:1].upper() + sentence[1:]


def spell_out(relation: str) -> str:
    """The words of a relation's name: ``wasBornIn`` and ``was_born_in`` read ``was born in``."""
    if " " in relation.strip():
        return relation.strip()
    words = _CAMEL_HUMP.sub(" ", relation.replace("_", " ")).split()
    return " ".join(word if word.isupper() else word.lower() for word in words) or relation


def spell_out_date(text: str) -> str:
    """``1978-10-24`` → ``October 24, 1978``, ``1978-10`` → ``October 1978``; anything else as it
    is.
    """
    if not re.fullmatch(r"\d{4}-\d\d(?:-\d\d)?", text):
        return text
    try:
        parse_date(text)
    except InvalidTime:
        return text
    year, month, *day = text.split("-")
    name = MONTHS[int(month) - 1]
    return f"{name} {int(day[0])}, {int(year)}" if day else f"{name} {int(year)}"


def _generic_template(relation: str) -> str:
    words = relation.lower().split()
    first, last = words[0] if words else "", words[-1] if words else ""
    if first in _AUXILIARIES or first in _VERBS:
        return f"{{subject}} {relation} {{object}}."
    is_past = first in _IRREGULAR or (first.endswith("ed") and not first.endswith("eed"))
    if is_past and len(words) == 1:
        return f"{{subject}} {relation} {{object}}."  # created
    if len(words) == 1 or last not in _PREPOSITIONS:
        return f"The {relation} of {{subject}} is {{object}}."  # head of government
    if first == "born":
        return f"{{subject}} was {relation} {{object}}."
    is_present = first.endswith("s") and not first.endswith("ss")
    if first in _ACTIVE or (is_present and not is_past):
        return f"{{subject}} {relation} {{object}}."  # graduated from, reports to
    return f"{{subject}} is {relation} {{object}}."  # held by, located in, member of
