"""What an importer must have an item for, found without the importer: the lines of a file, the
statements of an entity, the triples that pyoxigraph finds by itself.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pyoxigraph

from graph import SetAliases
from graph.interchange import BadLine, ImportFormat
from graph.interchange import rdf_terms as terms
from graph.interchange.loading import Numbered
from graph.interchange.rdf_terms import Syntax

_IDENTIFIER = re.compile(r"[QPL][1-9]\d{0,11}(-[FS][1-9]\d{0,5})?")
_NAMING = (terms.ALIAS, *terms.LABELS)
_ABOUT = (*terms.PARTS, terms.REIFIES)


def unaccounted(format: ImportFormat, lines: list[bytes], items: list[Numbered]) -> str | None:
    """What has no item of its own, or is told twice; None if all is well."""
    told = Counter(number for number, item in items if not isinstance(item, SetAliases))
    match format:
        case "jsonl":
            return _differ(told, _json_lines(lines))
        case "csv":
            return _rows(told, lines)
        case "wikidata":
            names = ("label of", "alias of")
            of_names = Counter(
                number
                for number, item in items
                if isinstance(item, BadLine) and item.reason.startswith(names)
            )
            return _differ(told - of_names, _entities(lines))
        case "ntriples" | "turtle":
            return _triples(format, lines, items)


def _differ(told: Counter[int], expected: Counter[int]) -> str | None:
    if told == expected:
        return None
    number = min((told - expected) + (expected - told))
    return f"line {number} has {told[number]} items, not {expected[number]}"


def _json_lines(lines: list[bytes]) -> Counter[int]:
    """One for each line that is not blank; the mark at the start of a file is."""
    texts = (line.removeprefix(b"\xef\xbb\xbf") if n == 0 else line for n, line in enumerate(lines))
    return Counter({number: 1 for number, text in enumerate(texts, start=1) if text.strip()})


def _rows(told: Counter[int], lines: list[bytes]) -> str | None:
    """One for each row with something in it, but for the header. Only without quotes is each row a
    line; with them the rows go on at least to the last line that has something in it.
    """
    if not any(b'"' in line or b"\r" in line[:-2] for line in lines):
        rows = [n for n, line in enumerate(lines, start=1) if line.strip(b",\r\n")]
        return _differ(told, Counter(rows[1:]))
    full = [n for n, line in enumerate(lines, start=1) if line.strip(b', \t\r\n"\xef\xbb\xbf')]
    after = [number for number in full if number > max(told, default=0)]
    if len(after) > 1 and b'"' not in lines[after[0] - 1]:  # one is the header, if all above is bad
        return f"lines from {after[1]} on have no item"
    return None


def _entities(lines: list[bytes]) -> Counter[int]:
    """One for each statement of an entity, and for each line that is none."""
    expected = Counter[int]()
    for number, line in enumerate(lines, start=1):
        text = line.strip().removesuffix(b",")
        if text not in (b"", b"[", b"]"):
            expected[number] = _statements(text)
    return +expected


def _statements(text: bytes) -> int:
    try:
        entity: Any = json.loads(text.decode())
    except (ValueError, RecursionError):
        return 1
    if not isinstance(entity, dict) or not isinstance(entity.get("id"), str):
        return 1
    mappings = [entity.get(name) or {} for name in ("labels", "aliases", "claims")]
    if not _IDENTIFIER.fullmatch(entity["id"]) or not all(isinstance(m, dict) for m in mappings):
        return 1
    groups = mappings[2].values()
    return sum(len(group) if isinstance(group, list) else 1 for group in groups)


def _triples(format: Syntax, lines: list[bytes], items: list[Numbered]) -> str | None:
    """One for each error, for each triple that only states something, for each relation that is
    declared, and at least one for each node that tells of a statement.
    """
    if any(line.count(b"<<") > 100 for line in lines):
        return None  # it is kept from the parser, which would overflow its stack
    if format == "ntriples":
        # Line by line, so that no line hides another.
        events = [event for line in lines for event in _events_of_line(line)]
    else:
        events = _events("turtle", b"".join(lines))
        if None in events:
            # How one goes on after an error is for each parser to decide: believe ours.
            told_errors = sum(isinstance(item, BadLine) for _, item in items)
            return None if told_errors else "errors, but no bad line"
    triples = [event for event in events if event is not None]
    nodes = {triple.subject for triple in triples if triple.predicate.value in _ABOUT}
    told = _reified(triples)
    stating = [t for t in triples if t.subject not in nodes and t.triple not in told]
    stating = [t for t in stating if not _is_naming(t) and t.predicate.value not in terms.SETTINGS]
    declared = {t.subject for t in triples if t.predicate.value in terms.SETTINGS}
    least = len(events) - len(triples) + len(stating) + len(nodes) + len(declared)
    found = sum(not isinstance(item, SetAliases) for _, item in items)
    if least <= found <= len(events) + len(nodes):
        return None
    return f"{found} items, but {least} triples, statements and errors"


def _events_of_line(line: bytes) -> list[pyoxigraph.Quad | None]:
    """The triples of a line, and one None if anything is wrong with it."""
    events = _events("ntriples", line)
    found: list[pyoxigraph.Quad | None] = [event for event in events if event is not None]
    return found if len(found) == len(events) else [*found, None]


def _is_naming(triple: pyoxigraph.Quad) -> bool:
    return triple.predicate.value in _NAMING and isinstance(triple.object, pyoxigraph.Literal)


def _reified(triples: Iterable[pyoxigraph.Quad]) -> set[object]:
    """The triples that statements are about, in the manner of RDF 1.1 or 1.2."""
    found = set[object]()
    parts = defaultdict[object, dict[str, Any]](dict)
    for triple in triples:
        if isinstance(triple.object, pyoxigraph.Triple):
            found.add(triple.object)
        elif triple.predicate.value in terms.PARTS:
            parts[triple.subject][triple.predicate.value] = triple.object
    for told in parts.values():
        with suppress(KeyError, TypeError):  # one part is missing, or cannot be there
            found.add(pyoxigraph.Triple(*(told[part] for part in terms.PARTS)))
    return found


def _events(format: Syntax, data: bytes) -> list[pyoxigraph.Quad | None]:
    """The triples of a text, and None for each error."""
    syntax = pyoxigraph.RdfFormat.N_TRIPLES if format == "ntriples" else pyoxigraph.RdfFormat.TURTLE
    parser = pyoxigraph.parse(input=io.BytesIO(data), format=syntax)
    events = list[pyoxigraph.Quad | None]()
    while True:
        try:
            events.append(next(parser))
        except StopIteration:
            return events
        except SyntaxError:
            events.append(None)
