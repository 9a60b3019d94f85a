"""Updates one after another: is the new known, is the old forgotten, does anything else break?

The kinds of question are EasyEdit's metrics, asked after 1, 10, 100 … updates:

- ``efficacy``: an update, asked plainly; ``generalisation``: the same in other words.
- ``retention``: the first updates of all, again, after all those that followed.
- ``locality``: facts that no update touched.

After the last stage of some untouched facts it is told late what was true before them: they are
still the answer now (``out_of_order``), and what came late is the answer for its time
(``out_of_order_then``). Others are retracted and others erased; to ask about them is to ask for
what nobody knows any more (``retracted``, ``erased``), and the right answer is to abstain.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.results import Percentiles, percentiles
from benchmarks.run import ask_all, warm_up
from benchmarks.schema import BenchmarkError, Question, Sample
from benchmarks.systems import Asker, Contestant
from benchmarks.tasks.invented import BETWEEN, RELATIONS, Edit, edits
from graph.fact import Command, Erase, Fact, Retract, SetRelation
from graph.store import Receipt

PROBES = 10
"""Questions of each kind at each stage, or as many as there are."""
_GROUPS = 4
"""Of facts that no update touches: kept, told late what was before, retracted, erased."""


class Edited(Asker, Protocol):
    """A graph that takes writes and tells them to its rivals."""

    def apply(self, commands: Sequence[Command]) -> Receipt:
        """Write to dysk's graph."""
        ...

    def tell(self, facts: Sequence[Fact]) -> None:
        """Have the rivals know these versions."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """What was asked after so many updates. ``visible_ms`` is from an update to the end of the
    first ask about it, for each system; None where there is no update to time.
    """

    name: str
    updates: int
    samples: dict[str, list[Sample]]
    visible_ms: dict[str, Percentiles | None]


def run_sequence(
    graph: Edited,
    systems: Sequence[Contestant],
    *,
    counts: Sequence[int],
    seed: int,
    progress: Callable[[], None] | None = None,
) -> Iterator[Stage]:
    """A stage for each count, and one after the retractions and erasures.

    ``counts`` are numbers of updates in all, rising. Raises BenchmarkError.
    """
    if not counts or list(counts) != sorted(set(counts)) or counts[0] < 1:
        raise BenchmarkError("the numbers of updates must rise, from 1 up, as 1,10,100")
    chance = random.Random(seed)  # noqa: S311 (a sample, not a secret)
    world = edits(counts[-1] + _GROUPS * PROBES, seed)
    untouched = world[counts[-1] :]
    kept, late, retracted, erased = (
        untouched[n * PROBES : (n + 1) * PROBES] for n in range(_GROUPS)
    )
    graph.apply([SetRelation(relation) for relation in RELATIONS])
    first = graph.apply([edit.before() for edit in world])
    graph.tell(_versions(first))
    revision = first.revision
    done = 0

    def stage(name: str, questions: Sequence[Question], visible: dict[str, list[float]]) -> Stage:
        samples: dict[str, list[Sample]] = {system.name: [] for system in systems}
        for number, question in enumerate(questions):
            for sample in ask_all(graph, systems, number, question, revision):
                samples[sample.system].append(sample)
                if progress:
                    progress()
        times = {name: percentiles(visible.get(name, [])) for name in samples}
        return Stage(name, done, samples, times)

    for count in counts:
        fresh = world[done:count]
        timed = fresh[-1]
        revision = _write(graph, [edit.after() for edit in fresh[:-1]]) or revision
        # Some learn only when they are asked: the time to come is to be of one update.
        warm_up(graph, systems, revision)
        visible: dict[str, list[float]] = {}
        began = time.perf_counter()
        revision = _write(graph, [timed.after()])
        written = (time.perf_counter() - began) * 1000
        for sample in ask_all(graph, systems, count, _asked(timed, "efficacy"), revision):
            if sample.latency_ms is not None:
                visible[sample.system] = [written + sample.latency_ms]
        done = count
        probes = chance.sample(fresh, min(PROBES, len(fresh)))
        questions = [
            *(_asked(edit, "efficacy") for edit in probes),
            *(_asked(edit, "generalisation") for edit in probes),
            *(_asked(edit, "retention") for edit in world[: min(PROBES, count - len(fresh))]),
            *(_asked(edit, "locality") for edit in kept),
        ]
        yield stage(f"after {count}", questions, visible)
    _write(graph, [edit.late() for edit in late])
    receipt = graph.apply(
        [
            *(Retract(f"{edit.id}-old") for edit in retracted),
            *(Erase(f"{edit.id}-old") for edit in erased),
        ]
    )
    revision = receipt.revision
    graph.tell(_gone(receipt, [*retracted, *erased]))
    questions = [
        *(_asked(edit, "retracted") for edit in retracted),
        *(_asked(edit, "erased") for edit in erased),
        *(_asked(edit, "out_of_order") for edit in late),
        *(_asked_then(edit) for edit in late),
        *(_asked(edit, "locality") for edit in kept),
    ]
    yield stage("after removal", questions, {})


def residue(folder: Path, texts: Sequence[str]) -> dict[str, int]:
    """How often each text still stands in the bytes of the files under a folder; only those that
    do.
    """
    contents = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    counts = {text: sum(data.count(text.encode()) for data in contents) for text in texts}
    return {text: count for text, count in counts.items() if count}


def erased_texts(counts: Sequence[int], seed: int) -> list[str]:
    """The objects that ``run_sequence`` erases; nothing else bears their names."""
    return [edit.old for edit in edits(counts[-1] + _GROUPS * PROBES, seed)[-PROBES:]]


def _write(graph: Edited, commands: Sequence[Command]) -> int:
    """Each update is a commit of its own, as updates arrive. Returns the last revision."""
    revision = 0
    for command in commands:
        receipt = graph.apply([command])
        revision = receipt.revision
        graph.tell(_versions(receipt))
    return revision


def _versions(receipt: Receipt) -> list[Fact]:
    """Every fact that a write changed, as it is now: what it closed, too."""
    return [change.after for change in receipt.changes if change.after is not None]


def _gone(receipt: Receipt, removed: Sequence[Edit]) -> list[Fact]:
    """The versions to tell to rivals: what is erased has none, so it is told as retracted."""
    told = _versions(receipt)
    known = {fact.id for fact in told}
    return told + [
        Fact(fact_id, edit.subject, edit.relation, edit.old, status="retracted")
        for edit in removed
        if (fact_id := f"{edit.id}-old") not in known
    ]


def _asked(edit: Edit, kind: str) -> Question:
    was_updated = kind in ("efficacy", "generalisation", "retention")
    removed = kind in ("retracted", "erased")
    return Question(
        id=f"{edit.id}-{kind}",
        question=edit.reworded if kind == "generalisation" else edit.plain,
        answers=() if removed else (edit.new if was_updated else edit.old,),
        facts=() if removed else (f"{edit.id}-{'new' if was_updated else 'old'}",),
        hops=None if removed else 1,
        kind=kind,
        old_answers=_no_longer(edit, kind),
    )


def _no_longer(edit: Edit, kind: str) -> tuple[str, ...]:
    """What was said to be true and is not, or not any more."""
    if kind == "locality":
        return ()
    return (edit.new,) if kind == "out_of_order" else (edit.old,)


def _asked_then(edit: Edit) -> Question:
    return Question(
        id=f"{edit.id}-out_of_order_then",
        question=edit.plain,
        answers=(edit.new,),
        as_of=BETWEEN,
        facts=(f"{edit.id}-late",),
        hops=1,
        kind="out_of_order_then",
        old_answers=(edit.old,),
    )
