"""Small valid documents in every format, for fuzzing and for trying what readers share."""

from __future__ import annotations

from pathlib import Path

from graph.interchange import ExportFormat, ImportFormat, dump
from tests.graph.interchange.worlds import kingdom

DATA = Path(__file__).parent / "data"


def document(name: str) -> bytes:
    """The bytes of a file in the folder ``data``."""
    return (DATA / name).read_bytes()


def lines(name: str) -> list[bytes]:
    """The lines of a file in the folder ``data``."""
    return document(name).splitlines(keepends=True)


def _dumped(format: ExportFormat) -> bytes:
    return "".join(f"{line}\n" for line in dump(format, kingdom().snapshot())).encode()


DOCUMENTS: dict[ImportFormat, tuple[bytes, ...]] = {
    "jsonl": (document("lines.jsonl"), _dumped("jsonl")),
    "csv": (document("table.csv"), document("quoted.csv"), _dumped("csv")),
    "ntriples": (document("plain.nt"), _dumped("ntriples")),
    "turtle": (document("reified.ttl"), _dumped("turtle")),
    "wikidata": (
        document("wikidata.json"),
        *(b"[\n" + line for line in lines("wikidata.json")[1:7]),
    ),
}
"""Valid documents of each format, of some ten lines; those of Wikidata but one have an entity."""
