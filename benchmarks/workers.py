"""Several processes ask at once, each with one thread and models of its own.

Speaking is bound by how fast weights are read, and one thread reads them about as fast as two: two
processes answer about 1.6 times as many questions as one process with two threads (docs/log.md).
All systems of a question are asked in one process, so ratios between them stay fair.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from pathlib import Path

from benchmarks.run import ask_all, warm_up
from benchmarks.schema import Question, Sample
from benchmarks.systems import Asker, Contestant
from dysk.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker opens: a loaded graph at a revision, and what it asks of it."""

    folder: Path
    graph: str
    revision: int
    systems: tuple[Contestant, ...]
    model: str | None = None
    encoder: str | None = None


def ask_in_processes(
    job: Job, questions: Sequence[Question], workers: int
) -> Iterator[list[Sample]]:
    """The samples of each question, in order. Raises ModelUnavailable as one process would."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn) as pool:
        yield from pool.map(_answer, repeat(job), enumerate(questions))


def _answer(job: Job, numbered: tuple[int, Question]) -> list[Sample]:
    number, question = numbered
    return ask_all(_opened(job), job.systems, number, question, job.revision)


@cache
def _opened(job: Job) -> Asker:
    """The graph, opened and warmed by a worker's first question, so that its errors are raised
    there: a pool that fails while it starts says nothing but that it broke.
    """
    import torch

    from benchmarks.rivals.ring import Ring

    torch.set_num_threads(1)
    workspace = Workspace(job.folder, model=job.model, encoder=job.encoder)
    graph = Ring(workspace.graph(job.graph), workspace)
    warm_up(graph, job.systems, job.revision)
    return graph
