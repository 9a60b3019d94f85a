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
from pathlib import Path

from benchmarks.run import ask_all, warm_up
from benchmarks.schema import Question, Sample
from benchmarks.systems import System
from dysk.client import Dysk
from dysk.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker opens: a loaded graph at a revision, and what it asks of it."""

    folder: Path
    graph: str
    revision: int
    systems: tuple[System, ...]
    model: str | None = None
    encoder: str | None = None


def ask_in_processes(
    job: Job, questions: Sequence[Question], workers: int
) -> Iterator[list[Sample]]:
    """The samples of each question, in order. Errors of a worker are raised here."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, _Worker.open, (job,)) as pool:
        yield from pool.map(_Worker.answer, enumerate(questions))


class _Worker:
    """The state of a worker process."""

    job: Job
    graph: Dysk

    @classmethod
    def open(cls, job: Job) -> None:
        import torch

        torch.set_num_threads(1)
        workspace = Workspace(job.folder, model=job.model, encoder=job.encoder)
        cls.job, cls.graph = job, workspace.graph(job.graph)
        warm_up(cls.graph, job.systems, job.revision)

    @classmethod
    def answer(cls, numbered: tuple[int, Question]) -> list[Sample]:
        number, question = numbered
        return ask_all(cls.graph, cls.job.systems, number, question, cls.job.revision)
