"""Kill −9 at random points, again and again, and see that nothing acknowledged is lost.

    python -m tests.graph.faults.kill [--rounds 200] [--seed 1]

A round starts two writers and a reader on one file, kills all three at random moments, and compares
what the file then holds with a store in memory that was told the same. It says what it did at the
end, and stops with an AssertionError at the first thing that is wrong.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from graph import Commit, Fact, FactStore, MemoryStore, SQLiteStore
from graph.sqlite_verify import verify
from tests.graph.faults.processes import ROOT
from tests.graph.faults.worker import (
    DECLARATION,
    FACTS,
    batch,
    erased_by,
    mark,
    number_of,
)

WRITERS = ("anna", "bert")
LONGEST_SECONDS = 0.12
"""From the moment when all three are at work until the first is killed, at most."""


@dataclass
class Tally:
    """What happened in all rounds."""

    rounds: int = 0
    acknowledged: int = 0
    unacknowledged: int = 0
    """Batches that were stored, but whose writer died before it could say so."""
    retried: int = 0
    """Of these, sent again under their idempotency key, and stored once."""
    erased: int = 0
    unscrubbed: int = 0
    """Rounds that ended between an erasure and the end of its scrub."""
    facts: int = 0


@dataclass
class Story:
    """How far a writer came: its last batch that is stored, and the last acknowledged."""

    stored: int = -1
    acknowledged: int = -1


@dataclass
class Trial:
    """A file under attack, and what it has to hold."""

    path: Path
    chance: random.Random
    tally: Tally = field(default_factory=Tally)
    memory: FactStore = field(default_factory=MemoryStore)
    stories: dict[str, Story] = field(default_factory=lambda: {name: Story() for name in WRITERS})

    def begin(self) -> None:
        """Make the file."""
        with SQLiteStore(self.path) as store:
            store.apply(DECLARATION)
        self.memory.apply(DECLARATION)

    def round(self) -> None:
        """Attack once and check everything."""
        told = self._attack()
        self.tally.rounds += 1
        found = verify(self.path)
        assert found.problems == ()
        self.tally.unscrubbed += found.unscrubbed
        with SQLiteStore(self.path) as store:
            self._check_feed(store, told)
            assert _facts(store) == _facts(self.memory)
            assert not store.unscrubbed
            self._check_bytes()
        self.tally.facts = len(_facts(self.memory))

    def _attack(self) -> dict[str, dict[int, int]]:
        """Let three processes work and die; the acknowledged batches of each, with revisions."""
        with (
            _worker("read", self.path) as reader,
            _worker("write", self.path, "anna", self.stories["anna"].acknowledged + 1) as anna,
            _worker("write", self.path, "bert", self.stories["bert"].acknowledged + 1) as bert,
        ):
            workers = [reader, anna, bert]
            lines = [[_line(worker)] for worker in workers]
            time.sleep(self.chance.uniform(0, LONGEST_SECONDS))
            for worker in self.chance.sample(workers, k=3):
                worker.kill()
                time.sleep(self.chance.choice((0.0, 0.0, self.chance.uniform(0, 0.03))))
            for worker, known in zip(workers, lines, strict=True):
                assert worker.stdout is not None
                assert worker.stderr is not None
                # The kill may have cut the last line short.
                known += [line for line in worker.stdout if line[-1] == "\n"]
                errors = worker.stderr.read()
                assert errors == "", errors
        numbers = [[tuple(map(int, line.split())) for line in known] for known in lines[1:]]
        return {name: dict(told) for name, told in zip(WRITERS, numbers, strict=True)}

    def _check_feed(self, store: SQLiteStore, told: dict[str, dict[int, int]]) -> None:
        """The feed goes on with whole batches, each writer's in order, each acknowledged one."""
        new = store.changes(self.memory.revision, limit=10**6)
        for expected, commit in enumerate(new, start=self.memory.revision + 1):
            assert commit.revision == expected
            name, number = max(
                number_of(change.fact_id) for change in commit.changes if change.fact_id
            )
            story = self.stories[name]
            assert number == story.stored + 1, f"{name} wrote {number} after {story.stored}"
            story.stored = number
            self.memory.apply(batch(name, number), idempotency_key=f"{name} {number}")
            self.tally.erased += FACTS if erased_by(number) is not None else 0
            assert told[name].get(number, expected) == expected
        assert _undated(new) == _undated(self.memory.changes(new[0].revision - 1, limit=10**6))
        for name, story in self.stories.items():
            first = story.acknowledged + 1
            self.tally.retried += told[name].get(first, 10**9) < new[0].revision
            self.tally.acknowledged += len(told[name])
            story.acknowledged = max(told[name])
            assert list(told[name]) == list(range(first, story.acknowledged + 1))
            assert story.stored - story.acknowledged in (0, 1), f"{name} lost or gained a batch"
            self.tally.unacknowledged += story.stored - story.acknowledged

    def _check_bytes(self) -> None:
        """No text of an erased fact is left in any file, and that of the others is there."""
        on_disk = b"".join(file.read_bytes() for file in self.path.parent.iterdir())
        found = set(re.findall(rb"<\w+ \d+ \d+>", on_disk))
        for name, story in self.stories.items():
            erased = {
                mark(name, gone, part).encode()
                for number in range(story.stored + 1)
                if (gone := erased_by(number)) is not None
                for part in range(FACTS)
            }
            assert not found & erased
            assert mark(name, story.stored, 0).encode() in found


def run(
    path: Path, rounds: int, seed: int, progress: Callable[[Tally], None] | None = None
) -> Tally:
    """Attack the store at ``path``, which is made, so many times."""
    trial = Trial(path, random.Random(seed))
    trial.begin()
    for _ in range(rounds):
        trial.round()
        if progress is not None:
            progress(trial.tally)
    return trial.tally


@contextmanager
def _worker(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.graph.faults.worker", *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _line(process: subprocess.Popen[str]) -> str:
    """The first line that a process prints: it is at work."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr.read() if process.stderr else ""
    return line


def _facts(store: FactStore) -> list[Fact]:
    """Every fact at the latest revision, but for the second in which it was recorded."""
    with store.snapshot() as snapshot:
        facts = [*snapshot.facts(), *snapshot.facts(status="retracted")]
    return [replace(fact, recorded_at="") for fact in facts]


def _undated(commits: list[Commit]) -> list[Commit]:
    """Commits, but for the second in which they were recorded."""

    def undated(fact: Fact | None) -> Fact | None:
        return fact and replace(fact, recorded_at="")

    return [
        replace(
            commit,
            recorded_at="",
            changes=tuple(
                replace(change, before=undated(change.before), after=undated(change.after))
                for change in commit.changes
            ),
        )
        for commit in commits
    ]


def _show(tally: Tally) -> None:
    print(f"round {tally.rounds}: {tally.acknowledged} batches", end="\r", file=sys.stderr)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.graph.faults.kill")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(Path(folder) / "facts.db", options.rounds, options.seed, _show)
    print(
        f"{tally.rounds} rounds: {tally.acknowledged} batches acknowledged, all there; "
        f"{tally.unacknowledged} more stored whole, {tally.retried} of them sent again and stored "
        f"once; {tally.erased} facts erased, no byte left, {tally.unscrubbed} rounds ended in the "
        f"middle of that; {tally.facts} facts at the end"
    )


if __name__ == "__main__":
    main()
