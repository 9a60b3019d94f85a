"""The SQLite store with very many facts: how fast they come in, and how fast they are found.

Facts come from a JSON Lines file through the ordinary import, as in ``dysk import``; then batches
and single facts go through ``apply``. Every write is synced to disk before it counts. Reads are
drawn from facts all over the file, and each is timed alone.
"""

from __future__ import annotations

import gc
import json
import random
import resource
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

from benchmarks.schema import BenchmarkError
from benchmarks.speed.invented_facts import fact_lines, relation_lines
from graph import Add, SQLiteStore, parse_date
from graph.interchange import jsonl

BATCH = 1_000
BATCHES = 10
SINGLES = 1_000
THREADS = 8
"""That write at once, each its share of SINGLES."""
_PAGES = 100
_DRAWN = 10_000


@dataclass(frozen=True, slots=True)
class Spread:
    """Milliseconds: the median and the 99th percentile of ``count`` timings, by the clock and in
    time of the processor, which a busy neighbour does not lengthen as much.
    """

    count: int
    p50: float
    p99: float
    cpu_p50: float
    cpu_p99: float


@dataclass(frozen=True, slots=True)
class StoreSpeed:
    """What was measured, with ``facts`` loaded. Rates are a second, sizes are in MB.

    ``import_cpu_per_s`` is what the import would reach on a processor of its own. ``alone_ms`` and
    ``beside_reader_ms`` time the same single-fact commits, the second ones while another thread
    reads the whole graph over and over. ``growth_mb`` is the most that the resident memory of the
    process grew while it imported and then did all the rest.
    """

    facts: int
    file_mb: float
    import_s: float
    import_per_s: float
    import_cpu_per_s: float
    batches_per_s: float
    alone_ms: Spread
    beside_reader_ms: Spread
    threads_per_s: float
    lookup_ms: Spread
    neighbours_ms: Spread
    feed_singles_ms: Spread
    feed_batch_ms: Spread
    growth_mb: float


def measure(
    folder: Path, facts: int, *, seed: int = 0, progress: Callable[[int], None] | None = None
) -> StoreSpeed:
    """Load ``facts`` invented facts into a store in ``folder``, and time it.

    ``progress`` hears of the lines loaded. Raises BenchmarkError when there are too few facts.
    """
    if facts < BATCH:
        raise BenchmarkError(f"--facts {facts} are too few to measure; give at least {BATCH}")
    source = folder / "facts.jsonl"
    with source.open("wb") as file:
        file.writelines(relation_lines())
        file.writelines(fact_lines(facts, seed))
    drawn = _drawn(fact_lines(facts, seed), facts)
    memory = _Memory()
    path = folder / "graph.db"
    with SQLiteStore(path) as store:

        def loaded(line: int) -> None:
            memory.look()
            if progress is not None:
                progress(line)

        with source.open("rb") as lines:
            wall, processor = time.perf_counter(), time.process_time()
            report = jsonl.load(store, lines, progress=loaded)
            wall, processor = time.perf_counter() - wall, time.process_time() - processor
        if report.bad:
            raise BenchmarkError(f"line {report.bad[0].number}: {report.bad[0].reason}")
        size = path.stat().st_size / 1e6
        batches_per_s, feed_batch = _batches(store, seed)
        alone, beside, threads_per_s, feed_singles = _singles(store, seed)
        lookup, neighbours = _lookups(store, drawn)
        memory.look()
    return StoreSpeed(
        facts=facts,
        file_mb=size,
        import_s=wall,
        import_per_s=report.added / wall,
        import_cpu_per_s=report.added / processor,
        batches_per_s=batches_per_s,
        alone_ms=alone,
        beside_reader_ms=beside,
        threads_per_s=threads_per_s,
        lookup_ms=lookup,
        neighbours_ms=neighbours,
        feed_singles_ms=feed_singles,
        feed_batch_ms=feed_batch,
        growth_mb=memory.growth,
    )


def table(result: StoreSpeed) -> str:
    """The result as text, a line a figure, ending with a newline."""
    lines = [
        f"{result.facts:,} facts, {result.file_mb:,.0f} MB",
        f"import                          {result.import_per_s:10,.0f} facts/s"
        f"  ({result.import_cpu_per_s:,.0f} a second of processor)",
        f"apply, {BATCH:,} facts a batch       {result.batches_per_s:10,.0f} facts/s",
        f"apply, one fact, {THREADS} threads      {result.threads_per_s:10,.0f} commits/s",
        _line("apply, one fact", result.alone_ms),
        _line("the same beside a reader", result.beside_reader_ms),
        _line("look-up at a date", result.lookup_ms),
        _line("neighbours of an entity", result.neighbours_ms),
        _line(f"feed, {SINGLES:,} commits of a fact", result.feed_singles_ms),
        _line(f"feed, a commit of {BATCH:,} facts", result.feed_batch_ms),
        f"growth of resident memory       {result.growth_mb:10,.0f} MB",
    ]
    return "\n".join(lines) + "\n"


def _line(what: str, spread: Spread) -> str:
    clock = f"p50 {spread.p50:8.3f} ms   p99 {spread.p99:8.3f} ms"
    return f"{what:30s}  {clock}   (processor {spread.cpu_p50:.3f}, {spread.cpu_p99:.3f})"


def _batches(store: SQLiteStore, seed: int) -> tuple[float, Spread]:
    """Facts a second through ``apply``, and the times of reading such a commit from the feed."""
    adds = _more_facts(BATCH * BATCHES, seed + 1)
    before = store.revision
    began = time.perf_counter()
    for start in range(0, len(adds), BATCH):
        store.apply(adds[start : start + BATCH])
    rate = len(adds) / (time.perf_counter() - began)
    revisions = random.Random(seed).choices(range(before, store.revision), k=_PAGES)  # noqa: S311
    return rate, _timed(lambda since: store.changes(since, limit=1), revisions)


def _singles(store: SQLiteStore, seed: int) -> tuple[Spread, Spread, float, Spread]:
    """Commits of one fact: alone, beside a reader, by threads; and a page of them from the feed."""
    adds = _more_facts(3 * SINGLES, seed + 2)
    alone = _timed(lambda add: store.apply([add]), adds[:SINGLES])
    stop = threading.Event()

    def read_on() -> None:
        while not stop.is_set():
            for _ in store.snapshot().facts():
                if stop.is_set():
                    return

    reader = threading.Thread(target=read_on)
    reader.start()
    try:
        beside = _timed(lambda add: store.apply([add]), adds[SINGLES : 2 * SINGLES])
    finally:
        stop.set()
        reader.join()
    shares = [adds[2 * SINGLES + number :: THREADS] for number in range(THREADS)]
    writers = [threading.Thread(target=_apply_all, args=(store, share)) for share in shares]
    began = time.perf_counter()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    rate = SINGLES / (time.perf_counter() - began)
    since = store.revision - SINGLES
    feed = _timed(lambda _: store.changes(since, limit=SINGLES), range(_PAGES))
    return alone, beside, rate, feed


def _lookups(store: SQLiteStore, drawn: list[dict[str, Any]]) -> tuple[Spread, Spread]:
    with store.snapshot() as snapshot:

        def look_up(record: dict[str, Any]) -> None:
            slot = record["subject"], record["relation"]
            if slot not in snapshot.slots([slot], parse_date(record["valid_from"])):
                raise BenchmarkError(f"the store lost {slot}")

        return (
            _timed(look_up, drawn),
            _timed(lambda record: snapshot.timeline(record["subject"]), drawn),
        )


def _timed(act: Callable[[Any], object], subjects: Iterable[Any]) -> Spread:
    clock, processor = [], []
    with _own_garbage_apart():
        for subject in subjects:
            began, busy = time.perf_counter(), time.thread_time()
            act(subject)
            processor.append((time.thread_time() - busy) * 1000)
            clock.append((time.perf_counter() - began) * 1000)
    cuts = quantiles(clock, n=100, method="inclusive")
    busy_cuts = quantiles(processor, n=100, method="inclusive")
    return Spread(len(clock), cuts[49], cuts[98], busy_cuts[49], busy_cuts[98])


@contextmanager
def _own_garbage_apart() -> Iterator[None]:
    """Keep what the benchmark itself holds from being looked through for garbage while a read or a
    commit is timed.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _apply_all(store: SQLiteStore, adds: list[Add]) -> None:
    for add in adds:
        store.apply([add])


def _more_facts(count: int, seed: int) -> list[Add]:
    return [Add(**json.loads(line)) for line in fact_lines(count, seed)]


def _drawn(lines: Iterable[bytes], count: int) -> list[dict[str, Any]]:
    """The records of lines drawn from all of them, each at most once, in no order."""
    chance = random.Random(0)  # noqa: S311 (a sample)
    chosen = set(chance.sample(range(count), min(count, _DRAWN)))
    records = [json.loads(line) for number, line in enumerate(lines) if number in chosen]
    chance.shuffle(records)
    return records


class _Memory:
    """How much the resident memory of this process has grown, at most, whenever it was looked."""

    def __init__(self) -> None:
        self._before = _resident_mb()
        self.growth = 0.0

    def look(self) -> None:
        self.growth = max(self.growth, _resident_mb() - self._before)


def _resident_mb() -> float:
    """From Linux's /proc; 0 elsewhere."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * resource.getpagesize() / 1e6
