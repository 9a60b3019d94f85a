"""Read and write large files, and watch the memory: it may not grow with the file.

    python -m tests.graph.interchange.memory --facts 1000000

For each format a process of its own reads a file that is made up as it is read, and notes the
memory that it holds (resident set, its greatest) after a tenth of the facts and after all. Writing
is watched in the same way, from a SQLite store with so many facts.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from graph import Add, SQLiteStore
from graph.interchange import (
    EXPORT_FORMATS,
    IMPORT_FORMATS,
    ExportFormat,
    ImportFormat,
    dump,
    load_commands,
    read,
)

_EXAMPLE = "http://example.org/"


def main() -> None:
    """Measure all formats, or, in the process of one measurement, that one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--facts", type=int, default=1_000_000)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        verb, format, store = arguments.one
        print(*_measured(verb, format, Path(store), arguments.facts))
        return
    print(f"{arguments.facts:,} facts; MiB after a tenth and after all")
    for verb, format, early, late in measure(arguments.facts):
        print(f"{verb:<6} {format:<9} {early:>7.0f} {late:>7.0f}")


def measure(facts: int) -> Iterator[tuple[str, str, float, float]]:
    """For reading and for writing each format: the memory in MiB after a tenth, and after all."""
    for format in IMPORT_FORMATS:
        yield "read", format, *measure_one("read", format, "", facts)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "facts.db"
        with SQLiteStore(path) as store:
            load_commands(store, enumerate(_facts(facts), start=1))
        for target in EXPORT_FORMATS:
            yield "write", target, *measure_one("write", target, str(path), facts)


def measure_one(verb: str, format: str, store: str, facts: int) -> tuple[float, float]:
    """One such figure, measured in a process of its own."""
    command = [sys.executable, "-m", "tests.graph.interchange.memory", "--facts", str(facts)]
    result = subprocess.run(
        [*command, "--one", verb, format, store], capture_output=True, text=True, check=True
    )
    early, late = map(float, result.stdout.split())
    return early, late


def _measured(verb: str, format: str, path: Path, facts: int) -> tuple[float, float]:
    """Memory after a tenth of the work and at its end. Readers of RDF and Wikidata tell nothing
    until they have read all, so the first is taken where their input is.
    """
    early = 0.0

    def watched(items: Iterable[object], tenth: int) -> Iterator[object]:
        nonlocal early
        for count, item in enumerate(items):
            if count == tenth:
                early = _peak()
            yield item

    if verb == "read":
        lines = _lines(cast("ImportFormat", format), facts)
        source = cast("Iterator[bytes]", watched(lines, facts // 10))
        told = read(cast("ImportFormat", format), source)
        found = sum(isinstance(item, Add) for _, item in told)
    else:
        with SQLiteStore(path) as store, store.snapshot() as snapshot:
            written = watched(dump(cast("ExportFormat", format), snapshot), facts // 10)
            found = min(facts, sum(1 for _ in written))
    if found != facts:
        sys.exit(f"{verb} {format}: {found} facts of {facts}")
    return early, _peak()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _facts(count: int) -> Iterator[Add]:
    """As many entities as facts, so that what is remembered of entities would show."""
    for number in range(count):
        year = str(1900 + number % 100)
        yield Add(f"place {number}", "twinned with", f"place {number // 2}", year)


def _lines(format: ImportFormat, count: int) -> Iterator[bytes]:
    if format == "csv":
        yield b"subject,relation,object,valid_from\n"
    for number, fact in enumerate(_facts(count)):
        yield _line(format, number, fact).encode() + b"\n"


def _line(format: ImportFormat, number: int, fact: Add) -> str:
    match format:
        case "jsonl":
            record = {"subject": fact.subject, "relation": fact.relation, "object": fact.object}
            return json.dumps({**record, "valid_from": fact.valid_from})
        case "csv":
            return f"{fact.subject},{fact.relation},{fact.object},{fact.valid_from}"
        case "ntriples" | "turtle":
            subject, object = (f"<{_EXAMPLE}place/{n}>" for n in (number, number // 2))
            triple = f"{subject} <{_EXAMPLE}twinnedWith> {object}"
            if format == "ntriples":
                return f"{triple} ."
            return f'<< {triple} >> <http://schema.org/startDate> "{fact.valid_from}" .'
        case "wikidata":
            return json.dumps(_entity(number, fact)) + ","


def _entity(number: int, fact: Add) -> dict[str, object]:
    value = {"entity-type": "item", "id": f"Q{number // 2 + 1}"}
    time = {"time": f"+{fact.valid_from}-00-00T00:00:00Z", "precision": 9}
    statement = {
        "id": f"Q{number + 1}$1",
        "rank": "normal",
        "mainsnak": _snak("P190", "wikibase-entityid", value),
        "qualifiers": {"P580": [_snak("P580", "time", time)]},
    }
    labels = {"en": {"language": "en", "value": fact.subject}}
    return {"id": f"Q{number + 1}", "labels": labels, "claims": {"P190": [statement]}}


def _snak(property: str, kind: str, value: object) -> dict[str, object]:
    data = {"type": kind, "value": value}
    return {"snaktype": "value", "property": property, "datavalue": data}


if __name__ == "__main__":
    main()
