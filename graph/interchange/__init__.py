"""Facts in and out of files: JSON Lines (lossless) and CSV."""

from graph.interchange import csv, jsonl
from graph.interchange.loading import BadLine, ImportReport

__all__ = ["BadLine", "ImportReport", "csv", "jsonl"]
