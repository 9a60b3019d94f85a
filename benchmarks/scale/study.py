"""One size of the study, in a process of its own: load, ask, update, and what it all takes."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.metrics import hits
from benchmarks.results import Percentiles, SystemResult, percentiles, summarise_system
from benchmarks.run import run
from benchmarks.scale.crowd import CrowdEncoder, lines_of
from benchmarks.schema import BenchmarkError, Question, Sample, open_lines
from benchmarks.speed.names import invented_words
from benchmarks.systems import choose_systems
from dysk.answer import Answer
from dysk.engine import Engine, search
from dysk.retrieval.coarse import FaissIndex
from dysk.retrieval.encoder import CachedEncoder, TextEncoder
from dysk.sync import Syncer
from dysk.workspace import Workspace
from graph import Add, Retract, SQLiteStore
from graph.interchange import jsonl

_NAMES_DRAWN_FROM = 2_000
_UPDATES = 20


@dataclass(frozen=True, slots=True)
class Job:
    """What a process needs to know. ``folder`` keeps graphs, ``out`` gets the samples."""

    size: int
    facts: Path
    questions: tuple[Question, ...]
    distractors: tuple[Path, ...]
    systems: tuple[str, ...]
    folder: Path
    out: Path
    model: str | None
    encoder: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """The study at one size. Times are by the clock.

    ``load_s`` is None, and ``index_s`` the start from disk, where an earlier run has loaded the
    graph. ``stages_ms`` are those of an ask in mode attention (``timings_ms``), the total among
    them; ``ask_cpu_ms`` is the processor time of the same asks, and ``search_cpu_ms`` that of their
    search alone, from the question to 32 facts, which a busy neighbour lengthens less.
    ``visible_ms`` is from the write of a fact until a search finds it first. ``coarse_hit`` is the
    share of questions with a gold fact among the 32 that the coarse stage ranks first, and
    ``systems`` has a summary of each. ``rss_mb`` is the process with models and graph,
    ``rss_models_mb`` with the models alone, ``disk_mb`` the graph's file and its index.
    """

    facts: int
    slots: int
    load_s: float | None
    index_s: float
    stages_ms: dict[str, Percentiles]
    ask_cpu_ms: Percentiles
    search_cpu_ms: Percentiles
    visible_ms: Percentiles
    coarse_hit: float
    systems: dict[str, SystemResult]
    rss_models_mb: float
    rss_mb: float
    disk_mb: float


def measure(job: Job) -> Step:
    """Load, or take up what an earlier run has loaded, and ask. On one thread."""
    import torch

    torch.set_num_threads(1)
    place, out = job.folder / str(job.size), job.out / str(job.size)
    place.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    with (
        Workspace(job.folder / "models", model=job.model, encoder=job.encoder) as workspace,
        SQLiteStore(place / "graph.db") as store,
    ):
        encoder = workspace.encoder()
        workspace.heads()
        real = CachedEncoder(encoder, job.folder / "vectors.db")
        crowd = CrowdEncoder(real, _subjects(job.facts))
        rss_models = _resident_mb()
        began = time.perf_counter()
        is_new = _load(store, job, place)
        loaded = time.perf_counter()
        index = FaissIndex(encoder.dim)
        syncer = Syncer(store, CachedEncoder(crowd), index=index, folder=place)
        syncer.catch_up(store.revision)
        index.settle()
        indexed = time.perf_counter()
        engine = Engine(
            store, syncer, encoder, workspace.model(), workspace.heads(), graph=str(job.size)
        )
        asker = _Clocked(engine)
        samples = run(
            asker,
            job.questions,
            choose_systems(",".join(job.systems)),
            revision=store.revision,
            folder=out,
        )
        coarse_hit, search_cpu_ms = _searched(store, syncer, encoder, job.questions)
        step = Step(
            facts=job.size,
            slots=len(index),
            load_s=loaded - began if is_new else None,
            index_s=indexed - loaded,
            stages_ms=_stages(samples["attention"]),
            ask_cpu_ms=_spread(asker.cpu_ms[1:]),  # the first one warmed up
            search_cpu_ms=search_cpu_ms,
            coarse_hit=coarse_hit,
            systems={name: summarise_system(of_system) for name, of_system in samples.items()},
            rss_models_mb=rss_models,
            rss_mb=_resident_mb(),
            visible_ms=_visible(store, syncer, encoder),
            disk_mb=_kept_mb(syncer, place),
        )
        syncer.close()
        real.close()
    return step


def _load(store: SQLiteStore, job: Job, place: Path) -> bool:
    """Load the facts; False where they are there."""
    with store.snapshot() as snapshot:
        held = snapshot.count()
    if not held:
        jsonl.load(store, lines_of(job.size, job.facts, job.questions, job.distractors))
    elif held != job.size:
        raise BenchmarkError(f"{place} has {held:,} facts of another load: delete it")
    return not held


def _subjects(facts: Path) -> list[str]:
    records = map(json.loads, open_lines(facts))
    subjects = dict.fromkeys(str(record["subject"]) for record in records if "subject" in record)
    return list(islice(subjects, _NAMES_DRAWN_FROM))


def _stages(samples: Sequence[Sample]) -> dict[str, Percentiles]:
    stages = dict.fromkeys(stage for sample in samples for stage in sample.timings_ms)
    found = {
        stage: percentiles([s.timings_ms[stage] for s in samples if stage in s.timings_ms])
        for stage in stages
    }
    return {stage: spread for stage, spread in found.items() if spread is not None}


class _Clocked:
    """An engine, and the processor time that asks in mode attention take on this thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.cpu_ms: list[float] = []

    def ask(self, question: str, **options: Any) -> Answer:
        """See Engine.ask."""
        began = time.thread_time()
        answer = self._engine.ask(question, **options)
        if options["mode"] == "attention":
            self.cpu_ms.append(1e3 * (time.thread_time() - began))
        return answer


def _searched(
    store: SQLiteStore, syncer: Syncer, encoder: TextEncoder, questions: Sequence[Question]
) -> tuple[float, Percentiles]:
    """Share of the questions that join no facts with a gold fact among the 32 nearest, and the
    processor time of each search.
    """
    found, times = [], []
    with store.snapshot() as snapshot:
        for question in [question for question in questions if question.hops in (None, 1)]:
            began = time.thread_time()
            evidence = search(syncer, encoder, snapshot, question.question, question.as_of, 32)
            times.append(1e3 * (time.thread_time() - began))
            found.append(bool(hits(question, [fact.fact_id for fact in evidence])[1]))
    if not found:
        raise BenchmarkError("no question of one hop is among those that were drawn")
    return sum(found) / len(found), _spread(times)


def _spread(times: Sequence[float]) -> Percentiles:
    return Percentiles(float(np.percentile(times, 50)), float(np.percentile(times, 95)))


def _visible(store: SQLiteStore, syncer: Syncer, encoder: TextEncoder) -> Percentiles:
    """From the write of a fact about a new entity until a search ranks it first."""
    times = []
    # Another seed than the crowd's, and three words, so that the encoder makes each vector.
    words = invented_words(seed=1)
    for _ in range(_UPDATES):
        name = " ".join(islice(words, 3))
        began = time.perf_counter()
        store.apply([Add(name, "harbour master", next(words))])
        with store.snapshot() as snapshot:
            asked = f"Who is the harbour master of {name}?"
            found = search(syncer, encoder, snapshot, asked, None, 1)
        times.append(1e3 * (time.perf_counter() - began))
        if not found or found[0].subject != name:
            raise BenchmarkError(f"a new fact about {name} was not found first")
        store.apply([Retract(found[0].fact_id)])
    return _spread(times)


def _kept_mb(syncer: Syncer, place: Path) -> float:
    syncer.keep()
    return sum(path.stat().st_size for path in place.iterdir()) / 1e6


def _resident_mb() -> float:
    """The process in memory now, in MB of 10⁶ bytes."""
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * 4096 / 1e6
