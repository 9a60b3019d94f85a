"""Facts from a benchmark file into a graph, through the ordinary import.

Data sets close intervals in ways that dysk's half-open ones do not know. Two are read as what they
can only mean, and counted; nothing else is touched, and a line that the store refuses is skipped
and reported:

- *event*: both ends are the same day or instant ("died in", 2017-04-30 to 2017-04-30). Something
  happened then and is so since: the end is left open.
- *within period*: the end is a year or month that the start lies in ("editor", 2013-05 to 2013;
  1947 to 1947). It ended somewhere in that period: the end becomes the first instant after it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.schema import BenchmarkError, open_lines
from graph.errors import InvalidTime
from graph.interchange import ImportReport
from graph.interval import parse_date

EVENT = "event"
WITHIN_PERIOD = "within_period"
_REPORTED = 20
_REDUCED = re.compile(r"(?P<year>[+-]?\d+)(?:-(?P<month>\d\d))?", re.ASCII)


class Importer(Protocol):
    """The part of ``dysk.Dysk`` that loading needs."""

    def import_lines(
        self, lines: Iterable[bytes], *, extra_attributes: bool = False
    ) -> ImportReport:
        """Store JSON Lines; fields that no fact has become attributes."""
        ...


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of a fact file: lines stored, held already and refused, and ends read anew.

    ``reasons`` are the first refusals as (line number, reason); ``revision`` is the graph's
    afterwards.
    """

    added: int
    unchanged: int
    skipped: int
    reasons: tuple[tuple[int, str], ...]
    normalised: dict[str, int]
    revision: int


def load_facts(
    graph: Importer, path: Path, progress: Callable[[], None] | None = None
) -> LoadReport:
    """Import a fact file. Raises BenchmarkError if it cannot be read or no line can be stored.

    ``progress`` is called for each line.
    """
    counts: Counter[str] = Counter()
    report = graph.import_lines(
        normalised(open_lines(path), counts, progress), extra_attributes=True
    )
    if not report.added and not report.unchanged:
        first = f"; line {report.bad[0].number}: {report.bad[0].reason}" if report.bad else ""
        raise BenchmarkError(f"{path.name} holds no fact that can be stored{first}")
    return LoadReport(
        added=report.added,
        unchanged=report.unchanged,
        skipped=report.bad_total,
        reasons=tuple((bad.number, bad.reason) for bad in report.bad[:_REPORTED]),
        normalised={rule: counts[rule] for rule in (EVENT, WITHIN_PERIOD)},
        revision=report.revision,
    )


def normalised(
    lines: Iterable[bytes], counts: Counter[str], progress: Callable[[], None] | None = None
) -> Iterator[bytes]:
    """The same lines, one for one, with ends read as above; ``counts`` says how many by rule."""
    for line in lines:
        if progress:
            progress()
        try:
            record = json.loads(line)
            end, rule = read_end(record["valid_from"], record["valid_to"])
        except (ValueError, KeyError, TypeError, InvalidTime):
            yield line  # no fact, or a bad one: the import says so, with its number
            continue
        if rule is None:
            yield line
            continue
        counts[rule] += 1
        yield json.dumps({**record, "valid_to": end}, ensure_ascii=False).encode() + b"\n"


def read_end(valid_from: str | None, valid_to: str | None) -> tuple[str | None, str | None]:
    """The exclusive end that is meant, and the rule that says so: None where it stays as it is."""
    if valid_from is None or valid_to is None:
        return valid_to, None
    start, end = parse_date(valid_from), parse_date(valid_to)
    if _REDUCED.fullmatch(valid_to):
        inside = end.start <= start.start < end.end
        return (_following(valid_to), WITHIN_PERIOD) if inside else (valid_to, None)
    same = (start.start, start.end) == (end.start, end.end)
    return (None, EVENT) if same else (valid_to, None)


def _following(text: str) -> str:
    """The year or month after the one written; a sign is kept or set where ISO 8601 wants one."""
    match = _REDUCED.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a year or a month")
    year, month = int(match["year"]), match["month"]
    if month is None or month == "12":
        year += 1
    written = f"{year:04d}" if 0 <= year <= 9999 else f"{year:+05d}"
    return written if month is None else f"{written}-{int(month) % 12 + 1:02d}"
