"""PopQA (Mallen et al. 2023, arXiv 2212.10511): facts of Wikidata by how popular their subject is.

A TSV with a header. ``subj``, ``prop``, ``obj``, ``question`` and ``possible_answers`` (a JSON
list) are read, and ``s_aliases`` and ``o_aliases`` (JSON lists) where they are.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.formats.collected import Collected
from benchmarks.schema import BenchmarkError, open_lines

_COLUMNS = ("subj", "prop", "obj", "question", "possible_answers")


def read(path: Path) -> Collected:
    """Questions of kind ``unchanged``: nothing in the set changes. Raises BenchmarkError."""
    found = Collected("popqa")
    for number, row in enumerate(_rows(path), start=2):
        try:
            answers = [row["obj"], *_list(row["possible_answers"])]
            aliases, object_aliases = (_list(row.get(c)) for c in ("s_aliases", "o_aliases"))
        except ValueError as error:
            raise BenchmarkError(f"{path.name}, line {number}: {error}") from error
        fact = found.fact(
            row["subj"], row["prop"], row["obj"], aliases=aliases, object_aliases=object_aliases
        )
        found.question(row["question"], answers, "unchanged", facts=[fact], hops=1)
    return found


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    lines = (
        line.decode("utf-8-sig" if n == 0 else "utf-8") for n, line in enumerate(open_lines(path))
    )
    reader = csv.DictReader(lines, delimiter="\t")
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise BenchmarkError(f"{path.name} has no column {missing[0]!r}: it is not PopQA's TSV")
    yield from reader


def _list(text: str | None) -> list[str]:
    values = json.loads(text) if text else []
    if not isinstance(values, list):
        raise ValueError(f"{text!r} is not a JSON list")
    return [str(value) for value in values]
