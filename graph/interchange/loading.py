"""Loading the commands of a file, batch by batch: a bad line is told and the rest goes in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from graph.collector import at_rest
from graph.errors import GraphError
from graph.fact import Add, Command
from graph.store import FactStore, Receipt
from graph.validate import Checked

BATCH = 10_000
"""Lines to a commit. Longer batches write each page of the file less often; while one is written,
which takes half a second or so, other writers wait.
"""
AFTER_REFUSAL = 500
"""Lines to a commit for the rest of a batch in which the store refused one."""
BAD_LINES_KEPT = 1_000
"""Bad lines that a report holds; it counts them all."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that could not be loaded, its number from 1, and why."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A statement that is read rightly and means no fact, such as a deprecated one, and why."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file's facts.

    ``bad`` holds the first bad lines, ``bad_total`` counts all. ``revision`` is the store's after
    it. ``skipped`` counts statements that mean no fact.
    """

    added: int
    unchanged: int
    bad: list[BadLine]
    bad_total: int
    revision: int
    skipped: int = 0


Numbered = tuple[int, Command | BadLine | Skipped]
"""A line's number, and the command it means, which has passed ``check``, or why it means none."""


def load_commands(
    store: FactStore,
    numbered: Iterable[Numbered],
    *,
    batch: int = BATCH,
    on_bad: Callable[[BadLine], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """Apply commands in batches of at most ``batch``, one commit each.

    ``on_bad`` hears of every bad line, ``progress`` of the number of the last line done. Raises
    StoreUnavailable and the like; the batches before stay.
    """
    loader = _Loader(store, on_bad)
    lines = iter(numbered)
    while (last := loader.take(lines, batch)) is not None:
        if progress is not None:
            progress(last)
    return loader.report()


class _Loader:
    def __init__(self, store: FactStore, on_bad: Callable[[BadLine], None] | None) -> None:
        self._store = store
        self._on_bad = on_bad
        self._added = 0
        self._unchanged = 0
        self._bad: list[BadLine] = []
        self._bad_total = 0
        self._skipped = 0

    def take(self, lines: Iterator[Numbered], batch: int) -> int | None:
        """Load the next lines, ``batch`` at most; the number of the last one, None at the end."""
        last = None
        numbers: list[int] = []
        commands: list[Command] = []
        for last, line in islice(lines, batch):
            if isinstance(line, BadLine):
                self.tell(line)
            elif isinstance(line, Skipped):
                self._skipped += 1
            else:
                numbers.append(last)
                commands.append(line)
        with at_rest():
            self.apply(numbers, commands)
            commands.clear()
        return last

    def apply(self, numbers: list[int], commands: list[Command]) -> None:
        """Apply what can be, and tell of each command that the store refuses."""
        done, size = 0, len(commands)
        while done < len(commands):
            part = commands[done : done + size]
            try:
                self._count(part, self._store.apply(Checked(part)))
                done += len(part)
            except GraphError as error:
                index = _index(error)
                if index is None:
                    raise
                bad = done + index
                self.apply(numbers[done:bad], commands[done:bad])
                self.tell(BadLine(numbers[bad], reason(error)))
                # More may be bad, and each time the store looks at all that it is given.
                done, size = bad + 1, AFTER_REFUSAL

    def tell(self, line: BadLine) -> None:
        self._bad_total += 1
        if len(self._bad) < BAD_LINES_KEPT:
            self._bad.append(line)
        if self._on_bad is not None:
            self._on_bad(line)

    def report(self) -> ImportReport:
        revision = self._store.revision
        counts = (self._added, self._unchanged, self._bad, self._bad_total)
        return ImportReport(*counts, revision, self._skipped)

    def _count(self, commands: list[Command], receipt: Receipt) -> None:
        for command, item in zip(commands, receipt.items, strict=True):
            if isinstance(command, Add):
                self._added += item.outcome == "created"
                self._unchanged += item.outcome == "unchanged"


def reason(error: GraphError) -> str:
    """The error in words, led by the field that it concerns: ``valid_to: …``."""
    members = error.pointer.split("/")[1:]
    if members and members[0].isdigit():
        members = members[1:]
    return f"{'.'.join(members)}: {error}" if members else str(error)


def _index(error: GraphError) -> int | None:
    """Which command of the batch the error concerns."""
    first = error.pointer.split("/")[1:2]
    return int(first[0]) if first and first[0].isdigit() else None
