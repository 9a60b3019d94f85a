"""Feed mutated documents to every importer: none crashes, hangs, or drops a line in silence.

    python -m tests.graph.interchange.fuzz --inputs 100000 --seed 1

Whatever the input, reading ends, with commands, skipped statements and bad lines, or with a
GraphError; each line or statement of the input has its item (``accounting``); and loading the items
counts them all. An input that takes five seconds of processor time hangs. On a failure the input is
written to a file, and its seed said.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import get_args

from graph import Add, Command, GraphError, MemoryStore
from graph.interchange import (
    IMPORT_FORMATS,
    BadLine,
    ImportFormat,
    Skipped,
    UnreadableFile,
    load_commands,
    read,
    unpack,
)
from graph.interchange.loading import Numbered
from tests.graph.interchange.accounting import unaccounted
from tests.graph.interchange.documents import DOCUMENTS
from tests.graph.interchange.mutation import mutated

SECONDS = 5.0
"""Processor time that one input may take."""

_COMMANDS: tuple[type, ...] = get_args(Command)


class Failure(Exception):
    """An importer did with an input what none may do."""


def main() -> None:
    """Fuzz from the command line; exits with 1 at the first failure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    try:
        counts = fuzz(arguments.inputs, arguments.seed)
    except Failure as failure:
        sys.exit(str(failure))
    print(f"{arguments.inputs:,} inputs, seed {arguments.seed}: no crash, no hang, no silent drop")
    for name, count in sorted(counts.items()):
        print(f"{count:>12,} {name}")


def fuzz(inputs: int, seed: int) -> Counter[str]:
    """Try so many inputs, and count what became of them. Raises Failure."""
    counts = Counter[str]()
    for index in range(inputs):
        format = IMPORT_FORMATS[index % len(IMPORT_FORMATS)]
        data = _input(Random(f"{seed}:{index}"), format)
        try:
            with _bounded():
                counts += tried(format, data)
        except Exception as error:
            kept = Path(f"fuzz-{seed}-{index}.{format}")
            kept.write_bytes(data)
            raise Failure(f"{kept}: {type(error).__name__}: {error}") from error
    return counts


def tried(format: ImportFormat, data: bytes) -> Counter[str]:
    """Read and load one input. Raises Failure, or whatever a reader should not have raised."""
    try:
        lines = list(unpack(io.BufferedReader(io.BytesIO(data))))
        items = list(read(format, lines, extra="attributes"))
    except UnreadableFile:
        return Counter({f"{format}: unreadable as a whole": 1})
    for number, item in items:
        if not isinstance(item, (BadLine, Skipped, *_COMMANDS)):
            raise Failure(f"line {number} gave {item!r}")
        if isinstance(item, BadLine) and not item.reason:
            raise Failure(f"line {number} is bad for no reason")
    missing = unaccounted(format, lines, items)
    if missing:
        raise Failure(missing)
    return Counter({f"{format}: inputs": 1}) + _loaded(format, items)


def _loaded(format: ImportFormat, items: list[Numbered]) -> Counter[str]:
    """Load the items, and check that each fact is counted once."""
    said = Counter(type(item) for _, item in items)
    try:
        report = load_commands(MemoryStore(), items, batch=7)
    except GraphError as error:
        raise Failure(f"loading ended: {error}") from error
    others = len(items) - said[Add] - said[BadLine] - said[Skipped]
    counted = report.added + report.unchanged + report.bad_total + report.skipped
    if not len(items) - others <= counted <= len(items):
        raise Failure(f"{len(items)} items, {counted} counted: {report}")
    return Counter(
        {
            f"{format}: facts added": report.added,
            f"{format}: facts unchanged": report.unchanged,
            f"{format}: statements left out": report.skipped,
            f"{format}: bad": report.bad_total,
        }
    )


def _input(random: Random, format: ImportFormat) -> bytes:
    """A mutated document; one in twenty is packed, and mutated once more."""
    documents = DOCUMENTS[format]
    data = mutated(random, random.choice(documents), documents)
    if random.random() < 0.05:
        packed = random.choice((gzip.compress, bz2.compress))(data)
        data = mutated(random, packed, (packed,)) if random.random() < 0.5 else packed
    return data


@contextmanager
def _bounded() -> Iterator[None]:
    """Raise Failure in a body that takes too long: processor time, so that a busy machine or a
    stopped process does not count.
    """

    def give_up(*_: object) -> None:
        raise Failure(f"it takes over {SECONDS} s")

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


if __name__ == "__main__":
    main()
