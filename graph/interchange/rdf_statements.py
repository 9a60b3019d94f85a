"""What the node of a reified statement tells of the fact that it is about."""

from __future__ import annotations

import json
from collections.abc import Iterable

from graph.errors import InvalidFact
from graph.interchange import rdf_terms as terms
from graph.interchange.rdf_terms import own_name, readable
from graph.interchange.records import Extra

_JSON_FIELDS = ("attributes", "statement", "supersedes", "revision")


def assemble(
    node: str, told: Iterable[tuple[str, str]], extra: Extra, *, with_id: bool
) -> dict[str, object]:
    """The record of a statement, less its subject, relation and object.

    ``told`` are predicates and codes of objects. The node's IRI is the fact's id, if ``with_id``
    and it has one; that of our own holds the id. Raises InvalidFact.
    """
    record: dict[str, object] = {}
    others: dict[str, list[str]] = {}
    for predicate, code in told:
        if predicate in (*terms.PARTS, terms.REIFIES) or code == f"<{terms.STATEMENT}":
            continue
        field = own_name(terms.FIELD, predicate) or terms.FIELDS.get(predicate)
        if field is None:
            others.setdefault(readable(predicate, words=True), []).append(code[1:])
        elif record.setdefault(field, value := _value(field, code[1:])) != value:
            raise InvalidFact("the statement has two values of it", f"/{field}")
    if others:
        _keep(record, others, extra)
    if with_id and node.startswith("<"):
        record["id"] = own_name(terms.FACT, node[1:]) or node[1:]
    return record


def _value(field: str, text: str) -> object:
    if field not in _JSON_FIELDS:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidFact("it should be JSON", f"/{field}") from None


def _keep(record: dict[str, object], others: dict[str, list[str]], extra: Extra) -> None:
    """Keep properties that no field has among the attributes. Raises InvalidFact."""
    if extra == "reject":
        raise InvalidFact(f"unknown property {min(others)!r}", f"/{min(others)}")
    attributes = record.get("attributes", {})
    if isinstance(attributes, dict):
        single = {name: texts[0] if len(texts) == 1 else texts for name, texts in others.items()}
        record["attributes"] = {**single, **attributes}
