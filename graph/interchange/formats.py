"""The formats by name: which there are, how a file is recognised, and their readers and writers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Literal, get_args

from graph.interchange import csv, graphml, jsonl, rdf, wikidata
from graph.interchange.loading import Numbered
from graph.interchange.records import Extra
from graph.interval import Period
from graph.store import Snapshot

ImportFormat = Literal["jsonl", "csv", "ntriples", "turtle", "wikidata"]
ExportFormat = Literal["jsonl", "csv", "ntriples", "turtle", "graphml"]

IMPORT_FORMATS: tuple[ImportFormat, ...] = get_args(ImportFormat)
EXPORT_FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)

_SUFFIXES: dict[str, ImportFormat] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".nt": "ntriples",
    ".ttl": "turtle",
    ".json": "wikidata",
}
_PACKED = (".gz", ".bz2")


def read(
    format: ImportFormat,
    lines: Iterable[bytes],
    *,
    extra: Extra = "reject",
    columns: Mapping[str, str] | None = None,
    language: str = "en",
) -> Iterator[Numbered]:
    """What each line of a file says. ``columns`` is for CSV, ``language`` for RDF and Wikidata,
    ``extra`` for all but Wikidata, whose properties are all known; see each reader.
    """
    match format:
        case "jsonl":
            return jsonl.read(lines, extra=extra)
        case "csv":
            return csv.read(lines, columns=columns, extra=extra)
        case "ntriples" | "turtle":
            return rdf.read(lines, format, language=language, extra=extra)
        case "wikidata":
            return wikidata.read(lines, language=language)


def dump(format: ExportFormat, snapshot: Snapshot, as_of: Period | None = None) -> Iterator[str]:
    """The graph as lines without their ends. All but GraphML can be read again."""
    match format:
        case "jsonl":
            return jsonl.dump(snapshot, as_of)
        case "csv":
            return csv.dump(snapshot, as_of)
        case "ntriples" | "turtle":
            return rdf.dump(snapshot, format, as_of)
        case "graphml":
            return graphml.dump(snapshot, as_of)


def recognise(name: str, first: bytes = b"") -> ImportFormat:
    """The format of a file by its name, packed or not, else by its first line: JSON Lines unless
    it looks like another. A table is known only by its name.
    """
    by_name = _SUFFIXES.get(_suffix(name))
    if by_name is not None:
        return by_name
    line = first.removeprefix(b"\xef\xbb\xbf").lstrip()
    if line.startswith((b"[", b'{"type":')):
        return "wikidata"
    if line[:7].lower() in (b"@prefix", b"prefix "):
        return "turtle"
    return "ntriples" if line.startswith((b"<", b"_:")) else "jsonl"


def recognise_target(name: str) -> ExportFormat:
    """The format of a file to write, by its name; JSON Lines unless it says another."""
    if _suffix(name) == ".graphml":
        return "graphml"
    format = _SUFFIXES.get(_suffix(name), "jsonl")
    return "jsonl" if format == "wikidata" else format


def _suffix(name: str) -> str:
    path = PurePath(name.lower())
    return PurePath(path.stem).suffix if path.suffix in _PACKED else path.suffix
