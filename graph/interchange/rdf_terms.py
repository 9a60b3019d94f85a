"""RDF's words for our facts: which IRIs stand for entities, relations, facts and their fields.

A fact with its interval is a reified statement (RDF 1.1 Semantics, appendix D.1), which every RDF
tool reads: a node of the type ``rdf:Statement`` with subject, predicate, object, and our fields.
Names are kept percent-encoded in their IRI, so that nothing is lost, and as ``rdfs:label``.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple
from urllib.parse import quote, unquote

Syntax = Literal["ntriples", "turtle"]

ENTITY = "urn:dysk:entity:"
RELATION = "urn:dysk:relation:"
FACT = "urn:dysk:fact:"
FIELD = "urn:dysk:field:"
"""Followed by the name of a field of a record (``graph.interchange.records``)."""

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
SKOS = "http://www.w3.org/2004/02/skos/core#"
XSD = "http://www.w3.org/2001/XMLSchema#"

TYPE, STATEMENT = f"{RDF}type", f"{RDF}Statement"
SUBJECT, PREDICATE, OBJECT = f"{RDF}subject", f"{RDF}predicate", f"{RDF}object"
PARTS = (SUBJECT, PREDICATE, OBJECT)
"""Predicates of an RDF 1.1 statement; it has one of each."""
REIFIES = f"{RDF}reifies"
"""RDF 1.2: from a node to the triple that it tells more of."""
JSON = f"{RDF}JSON"

SETTINGS = tuple(FIELD + name for name in ("cardinality", "template", "inverse"))
"""Predicates of a relation's settings."""

LABEL, ALIAS = f"{RDFS}label", f"{SKOS}altLabel"
LABELS = {LABEL: 0, f"{SKOS}prefLabel": 0, "http://schema.org/name": 1}
"""Predicates that name a thing; those with the lesser number are believed first."""

FIELDS = {
    "http://schema.org/startDate": "valid_from",
    "http://schema.org/endDate": "valid_to",
    "https://schema.org/startDate": "valid_from",
    "https://schema.org/endDate": "valid_to",
    "http://www.wikidata.org/prop/qualifier/P580": "valid_from",
    "http://www.wikidata.org/prop/qualifier/P582": "valid_to",
    "http://purl.org/dc/terms/source": "source",
    "http://www.w3.org/ns/prov#wasDerivedFrom": "source",
}
"""Others' predicates for fields of a fact, on the node of a reified statement."""

PREFIXES = {"rdf": RDF, "rdfs": RDFS, "skos": SKOS, "xsd": XSD, "dysk": FIELD}
"""The prefixes of Turtle that we write."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_DATES = {
    re.compile(r"\d{4}"): "gYear",
    re.compile(r"\d{4}-\d\d"): "gYearMonth",
    re.compile(r"\d{4}-\d\d-\d\d"): "date",
}
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r"})


class Term(NamedTuple):
    """``code`` is ``<`` and an IRI, ``_`` and a blank node's label, or ``"`` and a text."""

    code: str
    language: str | None = None

    @property
    def is_literal(self) -> bool:
        """True of a text."""
        return self.code.startswith('"')


class Triple(NamedTuple):
    """A triple; that of an RDF 1.2 reifier has a triple as its object."""

    subject: Term
    predicate: str
    object: Term | Triple


def iri(kind: str, name: str) -> str:
    """The IRI of a name: ``kind`` is ENTITY, RELATION or FACT."""
    return kind + quote(name, safe="")


def own_name(kind: str, text: str) -> str | None:
    """The name that an IRI of ours holds; None for any other IRI."""
    return unquote(text[len(kind) :]) if text.startswith(kind) else None


def readable(text: str, *, words: bool = False) -> str:
    """The end of another's IRI: ``…/United_Kingdom`` is United Kingdom.

    With ``words``, for relations, ``…#headOfState`` is head of state.
    """
    end = unquote(re.split(r"[/#:]", text.rstrip("/#:"))[-1]).replace("_", " ").strip()
    if words and end[:1].islower():
        end = _CAMEL.sub(" ", end).lower()
    return end or text


def reference(text: str) -> str:
    """An IRI as N-Triples and Turtle write it."""
    return f"<{text}>"


def literal(text: str, datatype: str | None = None) -> str:
    """A literal as N-Triples and Turtle write it."""
    quoted = f'"{text.translate(_ESCAPES)}"'
    return quoted if datatype is None else f"{quoted}^^<{datatype}>"


def date_literal(text: str) -> str:
    """A date, typed where XML Schema has its form: a year, a month or a day of four-digit years."""
    form = next((name for pattern, name in _DATES.items() if pattern.fullmatch(text)), None)
    return literal(text, None if form is None else XSD + form)
