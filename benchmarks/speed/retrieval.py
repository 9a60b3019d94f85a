"""The coarse stage as a graph grows: how long it takes, what it finds, and how fast it starts.

Facts come through the store and its feed, as in use, and a question goes through the encoder, the
names and the index to facts of a snapshot. Encoding a million names would take an hour, so the
encoder makes only those of the first subjects and of all relations. Every other name gets a
*stand-in*: a mean of the vectors of three names, drawn by its hash. Stand-ins crowd where real
names lie, but mean nothing, so only questions about encoded subjects are asked.
"""

from __future__ import annotations

import json
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from statistics import quantiles
from typing import Any

import numpy as np

from benchmarks.growth_plot import Panel
from benchmarks.load import normalised
from benchmarks.schema import BenchmarkError, Question, open_lines, read_questions
from benchmarks.speed.invented_facts import fact_lines, relation_lines
from dysk.candidates import Query, retrieve
from dysk.retrieval import index_file
from dysk.retrieval.coarse import FaissIndex, IndexState
from dysk.retrieval.encoder import CachedEncoder, Progress, TextEncoder, Vectors, unit
from dysk.retrieval.fusion import rank
from dysk.retrieval.index_file import NAME
from dysk.retrieval.keys import slot_keys
from dysk.retrieval.verbalize import spell_out
from dysk.sync import Slot, Syncer
from graph import SQLiteStore, parse_date
from graph.interchange import jsonl

CANDIDATES = 32
_REPLACED = 500
_TODAY = "2026-11-24"
_BLOCK = 20_000
_FIELDS = ("subject", "relation", "object", "valid_from", "valid_to", "source")


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds of the processor, which a busy neighbour lengthens less than the clock."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Step:
    """The coarse stage with ``facts`` loaded, in ``slots``.

    ``coarse`` is ``encode`` (the question is never cached) + ``names`` + ``facts_ms`` (index and
    store). ``hit`` and ``exact_hit`` are the shares of ``questions`` whose slot is among the 32
    best, by this index and by comparing every vector. ``index_bytes`` a fact are of the index in
    memory. Writing the file and starting from it are in seconds by the clock and of the processor;
    ``held_ms`` is the longest that a writer of facts had to wait for the former, by the clock.
    """

    facts: int
    slots: int
    questions: int
    encode: Spread
    names: Spread
    facts_ms: Spread
    coarse: Spread
    replace: Spread
    hit: float
    exact_hit: float
    index_bytes: float
    file_bytes: float
    keep_s: float
    keep_cpu_s: float
    held_ms: float
    cold_start_s: float
    cold_start_cpu_s: float


class StandIns:
    """A TextEncoder of the names in ``encoded``; other texts get a mean of three of those."""

    def __init__(self, encoder: TextEncoder, encoded: Sequence[str]) -> None:
        self.dim = encoder.dim
        self.fingerprint = f"{encoder.fingerprint}-stand-ins"
        self._vectors = encoder.encode(encoded)
        self._row = {text: row for row, text in enumerate(encoded)}

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """float32 [len(texts), dim]."""
        count = len(self._vectors)
        rows = np.empty((len(texts), 3), dtype=np.int64)
        for place, text in enumerate(texts):
            row = self._row.get(text)
            drawn = [zlib.crc32(f"{n} {text}".encode()) % count for n in range(3)]
            rows[place] = drawn if row is None else row
        return unit(self._vectors[rows].mean(axis=1))


def sizes_to(count: int) -> list[int]:
    """1,000 facts, tenfold each time, and ``count`` at last."""
    sizes: list[int] = []
    while 1_000 * 10 ** len(sizes) < count:
        sizes.append(1_000 * 10 ** len(sizes))
    return [*sizes, count]


def measure(
    folder: Path,
    encoder: TextEncoder,
    sets: Sequence[tuple[Path, Path]],
    sizes: Sequence[int],
    *,
    encoded: int,
    asked: int,
    progress: Callable[[str], None] | None = None,
) -> Iterator[Step]:
    """Load ``sizes`` facts, one size after another, and measure at each.

    ``sets`` are pairs of a fact file and its question file; made-up facts follow them. ``encoded``
    subjects are encoded, those of questions first. ``folder`` keeps their vectors, and a graph for
    each size; what an earlier run has loaded there is asked again. Raises BenchmarkError where no
    question can be asked.
    """
    tell = progress or (lambda _: None)
    records = {
        str(record["id"]): record
        for facts, _ in sets
        for record in map(json.loads, normalised(open_lines(facts), Counter()))
    }
    slot_of = {name: (str(r["subject"]), str(r["relation"])) for name, r in records.items()}
    questions = [
        question
        for _, path in sets
        for question in read_questions(path)
        if question.hops == 1 and question.facts and question.facts[0] in slot_of
    ]
    wanted = _first_subjects(questions, slot_of, encoded)
    questions = [q for q in questions if slot_of[q.facts[0]][0] in wanted]
    if not questions:
        raise BenchmarkError("no one-hop question is about a fact of its file")
    relations = {spell_out(relation) for _, relation in slot_of.values()}
    tell(f"encoding {len(wanted) + len(relations):,} names")
    folder.mkdir(parents=True, exist_ok=True)
    cache = CachedEncoder(encoder, folder / "vectors.db")
    stand_ins = StandIns(cache, sorted(wanted | relations))
    cache.close()
    # Facts that are asked about come first, so that small graphs can be asked, too.
    asked_about = {fact for question in questions for fact in question.facts}
    ordered = sorted(records, key=lambda name: name not in asked_about)
    for size in sizes:
        real = (_fact_line(records[name]) for name in ordered)
        stream = chain(relation_lines(), islice(chain(real, fact_lines(max(sizes))), size))
        place = folder / str(size)
        place.mkdir(exist_ok=True)
        with SQLiteStore(place / "graph.db") as store:
            tell(f"loading {size:,} facts")
            with store.snapshot() as present:
                held = present.count()
            if held not in (0, size):
                raise BenchmarkError(f"{place} has {held:,} facts of another load: delete it")
            if not held:
                jsonl.load(store, stream)
            tell(f"indexing {size:,} facts")
            index = FaissIndex(encoder.dim)
            syncer = Syncer(store, CachedEncoder(stand_ins), index=index, folder=place, kept_from=1)
            syncer.catch_up(store.revision)
            index.settle()
            tell(f"asking {size:,} facts")
            yield _step(place, store, syncer, encoder, stand_ins, questions, slot_of, asked, size)
            syncer.close()


def table(steps: Sequence[Step]) -> str:
    """A line a size; milliseconds are p50 / p99, seconds by the clock / of the processor."""
    heads = ("facts", "slots", "encode", "names", "index+store", "coarse", "replace")
    more = ("hit@32", "exact", "bytes/fact", "on disk", "write s", "held ms", "start s")
    lines = ["  ".join(f"{head:>12s}" for head in heads + more)]
    for step in steps:
        cells = [f"{step.facts:,}", f"{step.slots:,}"]
        for spread in (step.encode, step.names, step.facts_ms, step.coarse, step.replace):
            cells.append(f"{spread.p50:.2f}/{spread.p99:.2f}")
        cells += [f"{step.hit:.3f}", f"{step.exact_hit:.3f}", f"{step.index_bytes:.0f}"]
        cells += [f"{step.file_bytes:.0f}", f"{step.keep_s:.1f}/{step.keep_cpu_s:.1f}"]
        cells += [f"{step.held_ms:.0f}", f"{step.cold_start_s:.1f}/{step.cold_start_cpu_s:.1f}"]
        lines.append("  ".join(f"{cell:>12s}" for cell in cells))
    return "\n".join(lines) + "\n"


def panels(steps: Sequence[Step]) -> list[Panel]:
    """Times of a question, and sizes, for ``growth_plot.draw``."""
    times = {
        "coarse, p99": [step.coarse.p99 for step in steps],
        "coarse, p50": [step.coarse.p50 for step in steps],
        "encoder, p50": [step.encode.p50 for step in steps],
        "index and store, p50": [step.facts_ms.p50 for step in steps],
        "names, p50": [step.names.p50 for step in steps],
        "replace a key, p50": [step.replace.p50 for step in steps],
    }
    sizes = {
        "index in memory": [step.index_bytes for step in steps],
        "index and names on disk": [step.file_bytes for step in steps],
    }
    starts = {
        "start from disk": [step.cold_start_cpu_s for step in steps],
        "write to disk": [step.keep_cpu_s for step in steps],
    }
    return [
        Panel("Processor time of a question", "ms", times),
        Panel("Size", "bytes a fact", sizes),
        Panel("Processor time of a start and a write", "s", starts),
    ]


def _fact_line(record: dict[str, Any]) -> bytes:
    return json.dumps({name: record[name] for name in _FIELDS if name in record}).encode()


def _first_subjects(
    questions: Sequence[Question], slot_of: dict[str, Slot], count: int
) -> set[str]:
    asked = (slot_of[question.facts[0]][0] for question in questions)
    every = (subject for subject, _ in slot_of.values())
    return set(islice(dict.fromkeys(chain(asked, every)), count))


def _step(
    folder: Path,
    store: SQLiteStore,
    syncer: Syncer,
    encoder: TextEncoder,
    stand_ins: StandIns,
    questions: Sequence[Question],
    slot_of: dict[str, Slot],
    asked: int,
    size: int,
) -> Step:
    present = [q for q in questions if slot_of[q.facts[0]] in syncer._ids]
    drawn = present[:: max(1, len(present) // asked)][:asked]
    if not drawn:
        raise BenchmarkError(f"no question is about the first {size:,} facts")
    times: list[tuple[float, float, float]] = []
    queries = []
    with store.snapshot() as snapshot:
        for question in drawn:
            began = time.thread_time()
            vector = encoder.encode([question.question])[0]
            encoded = time.thread_time()
            query = Query(question.question, vector, syncer.mentions.find(question.question))
            named = time.thread_time()
            as_of = parse_date(question.as_of or _TODAY)
            retrieve(syncer, snapshot, query, as_of, CANDIDATES)
            found = time.thread_time()
            times.append((encoded - began, named - encoded, found - named))
            queries.append(query)
    golds = [syncer._ids[slot_of[question.facts[0]]] for question in drawn]
    hit = _hits(syncer, syncer.index, queries, golds)
    exact = FaissIndex(stand_ins.dim, exact_up_to=2 * len(syncer._ids))
    slots = list(syncer._ids.items())
    for begin in range(0, len(slots), _BLOCK):
        part = slots[begin : begin + _BLOCK]
        exact.add([i for _, i in part], slot_keys(CachedEncoder(stand_ins), [s for s, _ in part]))
    exact_hit = _hits(syncer, exact, queries, golds)
    replaced = _replacing(syncer, exact, [i for _, i in slots])
    del exact
    keep_s, keep_cpu_s, held_ms = _keeping(syncer, folder)
    grown = _memory_of_index(folder / NAME, stand_ins.dim)
    began, began_cpu = time.perf_counter(), time.process_time()
    started = Syncer(store, CachedEncoder(stand_ins), folder=folder, kept_from=1)
    started.catch_up(store.revision)
    cold, cold_cpu = time.perf_counter() - began, time.process_time() - began_cpu
    if len(started.index) != len(syncer.index):
        raise BenchmarkError("the index that was kept has other slots than the one in memory")
    parts = [[1e3 * seconds for seconds in part] for part in zip(*times, strict=True)]
    return Step(
        facts=size,
        slots=len(syncer.index),
        questions=len(drawn),
        encode=_spread(parts[0]),
        names=_spread(parts[1]),
        facts_ms=_spread(parts[2]),
        coarse=_spread([1e3 * sum(each) for each in times]),
        replace=replaced,
        hit=hit,
        exact_hit=exact_hit,
        index_bytes=grown / size,
        file_bytes=(folder / NAME).stat().st_size / size,
        keep_s=keep_s,
        keep_cpu_s=keep_cpu_s,
        held_ms=held_ms,
        cold_start_s=cold,
        cold_start_cpu_s=cold_cpu,
    )


def _keeping(syncer: Syncer, folder: Path) -> tuple[float, float, float]:
    """Seconds to write the index by the clock and of the processor, and how many milliseconds the
    lock was held at most, which an ask takes to bring the index up.
    """
    waited = 0.0
    began, began_cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(1) as pool:
        keeping = pool.submit(syncer.keep)
        while not keeping.done():
            asked = time.perf_counter()
            with syncer._lock:
                waited = max(waited, time.perf_counter() - asked)
            time.sleep(0.002)
    seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    if not keeping.result():
        raise BenchmarkError(f"the index cannot be written to {folder}")
    return seconds, cpu, 1e3 * waited


def _hits(syncer: Syncer, index: object, queries: Sequence[Query], golds: Sequence[int]) -> float:
    """Share of the queries whose slot is among the best of the fused ranking."""
    hits = 0
    for query, gold in zip(queries, golds, strict=True):
        ranked = rank(query.vector, query.mentions, index, syncer.slots_of, CANDIDATES)  # type: ignore[arg-type]
        hits += any(candidate.slot == gold for candidate in ranked)
    return hits / len(queries)


def _replacing(syncer: Syncer, exact: FaissIndex, ids: Sequence[int]) -> Spread:
    """Times of setting one vector to what it is."""
    times = []
    for i in ids[:: max(1, len(ids) // _REPLACED)][:_REPLACED]:
        vector = exact._read(np.array([i]))
        began = time.thread_time()
        syncer.index.replace([i], vector)
        times.append(1e3 * (time.thread_time() - began))
    return _spread(times)


def _spread(times: Sequence[float]) -> Spread:
    cuts = quantiles(times, n=100, method="inclusive")
    return Spread(p50=cuts[49], p99=cuts[98])


def _memory_of_index(path: Path, dim: int) -> int:
    """Bytes that an index takes, in a process of its own, where no freed memory is reused."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_growth, path, dim).result()


def _growth(path: Path, dim: int) -> int:
    columns = index_file.read(path)
    if columns is None:
        raise BenchmarkError(f"{path} was damaged")
    state = IndexState(
        columns["shell"], columns["list_sizes"], columns["vector_ids"], columns["codes"], dim
    )
    index = FaissIndex(dim, exact_up_to=len(state.ids))
    index.search(np.zeros((1, dim), dtype=np.float32), 1)  # so that the library is loaded
    before = _resident()
    index.restore(state)
    return _resident() - before


def _resident() -> int:
    """Bytes of the process in memory now."""
    with Path("/proc/self/statm").open() as file:
        return int(file.read().split()[1]) * 4096
