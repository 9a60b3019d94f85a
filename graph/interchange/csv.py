"""CSV with a header row: the same fields as JSON Lines, in columns of those names.

An empty cell is a missing value. ``attributes``, ``aliases``, ``object_aliases`` and ``statement``
are JSON in their cell. The settings of relations have no place in a table: declare them first.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping

from graph.errors import InvalidFact
from graph.fact import Command
from graph.interchange.csv_rows import Rows
from graph.interchange.errors import UnreadableFile
from graph.interchange.jsonl import records
from graph.interchange.loading import BATCH, BadLine, ImportReport, Numbered, load_commands, reason
from graph.interchange.records import FACT_FIELDS, Extra, to_command
from graph.interval import Period
from graph.store import FactStore, Snapshot

_JSON = ("attributes", "aliases", "object_aliases", "statement", "supersedes")


def read(
    lines: Iterable[bytes],
    *,
    columns: Mapping[str, str] | None = None,
    extra: Extra = "reject",
) -> Iterator[Numbered]:
    """Each row's command or what is wrong with it, numbered by the line where the row ends.

    Where an open quote took other rows with it, those are read again, from the next line on.
    ``columns`` maps names in the header to fields. ``extra`` says what becomes of other columns.
    Raises UnreadableFile where two columns have the same name.
    """
    rows = Rows(lines)
    header: list[str] | None = None
    while True:
        try:
            row = rows.next()
        except csv.Error as error:
            yield rows.begin, BadLine(rows.begin, f"the line is not CSV: {error}")
            rows.begin_anew()
            continue
        if row is None:
            return
        if not any(row):
            continue
        if header is None:
            header = _header(row, columns or {})
        elif len(row) == len(header):
            yield rows.end, _command(rows.end, header, row, extra)
        else:
            text = f"the row has {len(row)} cells, the header {len(header)}"
            yield rows.begin, BadLine(rows.begin, text)
            rows.begin_anew()


def load(
    store: FactStore,
    lines: Iterable[bytes],
    *,
    columns: Mapping[str, str] | None = None,
    batch: int = BATCH,
    on_bad: Callable[[BadLine], None] | None = None,
    progress: Callable[[int], None] | None = None,
    extra: Extra = "reject",
) -> ImportReport:
    """Read rows into a store; see ``load_commands`` and ``read``."""
    numbered = read(lines, columns=columns, extra=extra)
    return load_commands(store, numbered, batch=batch, on_bad=on_bad, progress=progress)


def dump(snapshot: Snapshot, as_of: Period | None = None) -> Iterator[str]:
    """The header and one row a fact, as lines without their ends; see ``jsonl.dump``."""
    columns = [name for name in FACT_FIELDS if name != "on_conflict"]
    yield _row(columns)
    for record in records(snapshot, as_of):
        yield _row([_cell(record.get(name)) for name in columns])


def _header(row: list[str], columns: Mapping[str, str]) -> list[str]:
    names = [name.strip() for name in row]
    header = [columns.get(name, name) for name in names]
    twice = {name for name in header if name and header.count(name) > 1}
    if twice:
        raise UnreadableFile(f"two columns are called {min(twice)!r}: rename one of them")
    return header


def _command(number: int, header: list[str], row: list[str], extra: Extra) -> Command | BadLine:
    cells = {name: cell for name, cell in zip(header, row, strict=True) if cell}
    try:
        record = {name: json.loads(cell) if name in _JSON else cell for name, cell in cells.items()}
    except (ValueError, RecursionError):
        return BadLine(number, f"the columns {', '.join(_JSON)} hold JSON")
    try:
        return to_command(record, extra)
    except InvalidFact as error:
        return BadLine(number, reason(error))


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _row(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()
