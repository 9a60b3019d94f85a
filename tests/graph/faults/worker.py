"""The processes that get killed: one that writes a story, one that reads along.

    python -m tests.graph.faults.worker write PATH NAME FIRST
    python -m tests.graph.faults.worker read PATH

A writer applies the batches of its own story from number FIRST on and prints ``number revision`` of
each once it is acknowledged. Its story depends on its name alone, so that whoever knows which batch
was the last knows all that must be stored.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import count

from graph import (
    Add,
    Command,
    Correct,
    End,
    Erase,
    Relation,
    Retract,
    SetAliases,
    SetRelation,
    SQLiteStore,
)

FACTS = 3
"""New facts of a batch."""
DECLARATION: list[Command] = [SetRelation(Relation("leads", "one"))]
"""What the store holds before any writer begins, as revision 1."""


def mark(name: str, number: int, part: int) -> str:
    """A text that stands in one fact only, to look for in bytes."""
    return f"<{name} {number} {part}>"


def fact_id(name: str, number: int, part: int) -> str:
    """The id of a fact of a batch; ``number_of`` reads the batch from it."""
    return f"{name}:{number}:{part}"


def number_of(id: str) -> tuple[str, int]:
    """The writer and the batch that a fact was new in."""
    name, number, _ = id.split(":")
    return name, int(number)


def erased_by(number: int) -> int | None:
    """The batch whose facts this batch erases."""
    return number - 7 if number % 8 == 7 else None


def batch(name: str, number: int) -> list[Command]:
    """The batch of this number: new facts, some superseding others, and a change to older ones."""

    def older(part: int, back: int) -> str:
        return fact_id(name, number - back, part)

    commands: list[Command] = [
        Add(
            f"{name}'s realm {number % 4}",
            "leads" if part == 0 else "visited",
            mark(name, number, part) * 20,
            f"{1000 + number}" if part == 0 else None,
            id=fact_id(name, number, part),
        )
        for part in range(FACTS)
    ]
    match number % 8:
        case 2:
            commands.append(Correct(older(1, 1), {"object": mark(name, number, 9) * 20}))
        case 3:
            commands += [Retract(older(2, 1)), End(older(1, 1), "3000")]
        case 4:
            commands.append(SetAliases(f"{name}'s realm 0", (f"{name} alias {number}",)))
        case 7:
            commands += [Erase(older(part, 7)) for part in range(FACTS)]
    return commands


def write(path: str, name: str, first: str) -> None:
    """Tell the story until killed."""
    with SQLiteStore(path) as store:
        for number in count(int(first)):
            receipt = store.apply(batch(name, number), idempotency_key=f"{name} {number}")
            print(number, receipt.revision, flush=True)


def read(path: str) -> None:
    """Follow the feed and look at snapshots until killed; an AssertionError ends it earlier."""
    with SQLiteStore(path) as store:
        seen = 0
        while True:
            for commit in store.changes(seen):
                assert commit.revision == seen + 1, "the feed has a gap"
                seen = commit.revision
                new = [c for c in commit.changes if c.kind == "add"]
                assert len(new) in (0, FACTS) or any(c.kind == "erase" for c in commit.changes)
            with store.snapshot() as snapshot:
                assert snapshot.revision >= seen, "a snapshot is older than the feed"
                first, second = ({fact.id: fact for fact in snapshot.facts()} for _ in range(2))
                # Only an erasure reaches into a snapshot.
                assert second.items() <= first.items(), "a snapshot changed"
                assert all(fact.revision <= snapshot.revision for fact in first.values())
            print("read", flush=True)
            store.wait(seen, 0.05)


if __name__ == "__main__":
    verbs: dict[str, Callable[..., None]] = {"write": write, "read": read}
    verbs[sys.argv[1]](*sys.argv[2:])
