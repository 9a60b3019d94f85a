"""Facts in and out of files: JSON Lines (lossless), CSV, RDF, Wikidata's dumps, GraphML."""

from graph.interchange import csv, graphml, jsonl, rdf, wikidata
from graph.interchange.errors import UnreadableFile
from graph.interchange.formats import (
    EXPORT_FORMATS,
    IMPORT_FORMATS,
    ExportFormat,
    ImportFormat,
    dump,
    read,
    recognise,
    recognise_target,
)
from graph.interchange.lines import unpack
from graph.interchange.loading import BadLine, ImportReport, Skipped, load_commands

__all__ = [
    "EXPORT_FORMATS",
    "IMPORT_FORMATS",
    "BadLine",
    "ExportFormat",
    "ImportFormat",
    "ImportReport",
    "Skipped",
    "UnreadableFile",
    "csv",
    "dump",
    "graphml",
    "jsonl",
    "load_commands",
    "rdf",
    "read",
    "recognise",
    "recognise_target",
    "unpack",
    "wikidata",
]
