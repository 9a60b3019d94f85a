"""Names of the Wikidata properties that the public sets use."""

from __future__ import annotations

_LABELS = {
    "P6": "head of government",
    "P26": "spouse",
    "P35": "head of state",
    "P39": "position held",
    "P54": "member of sports team",
    "P69": "educated at",
    "P102": "member of political party",
    "P108": "employer",
    "P118": "league",
    "P127": "owned by",
    "P131": "located in",
    "P169": "chief executive officer",
    "P286": "head coach",
    "P463": "member of",
    "P466": "occupant",
    "P488": "chairperson",
    "P551": "residence",
    "P749": "parent organization",
    "P937": "work location",
    "P1308": "officeholder",
}


def label(property: str) -> str:
    """The property's name in English; the property itself where it is not known here."""
    return _LABELS.get(property, property)
