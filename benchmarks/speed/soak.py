"""A steady load on a real service, for long: does its memory stay flat, and is all of it right?

Askers, writers and followers of the feed come at a fixed rate for as long as one likes. The writers
move a fixed set of towns from mayor to mayor, so that the graph's past grows and its present does
not. Every answer is compared with who held the office at the revision that it names, and every feed
with the whole numbers; the service's memory is read from its own metrics.
"""

from __future__ import annotations

import random
import re
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count, islice
from typing import Any

import httpx

from benchmarks.results import Percentiles, percentiles
from benchmarks.schema import BenchmarkError
from benchmarks.speed.names import invented_words

MAYORS = 4
SAMPLE_SECONDS = 5.0
RECONNECT_SECONDS = 30.0
"""How long a follower stays before it leaves and resumes where it was."""
WARM_UP = 0.2
"""Share of the time in which memory may still be taken up."""
MOST_GROWTH = 5.0
"""Percent by which memory may grow after that."""

_GRAPH = "/v1/graphs/default"
_FIRST_DAY = date(1900, 1, 1)
_MEMORY = re.compile(r"^process_resident_memory_bytes (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Soaked:
    """What came of it. Memory in MiB: medians of the first and the last quarter of what follows the
    warm-up."""

    minutes: float
    asks: int
    writes: int
    commits_followed: int
    reconnections: int
    ask_ms: Percentiles | None
    write_ms: Percentiles | None
    memory_before: float
    memory_after: float
    memory_growth_percent: float
    memory: list[float]
    errors: int
    first_error: str | None
    wrong_answers: int
    first_wrong: str | None
    gaps: int

    @property
    def sound(self) -> bool:
        """Nothing failed, nothing was missed or stale."""
        return not (self.errors or self.wrong_answers or self.gaps)


@dataclass(slots=True)
class _Said:
    """An answer, kept until all that was written before it is known here too."""

    town: str
    revision: int
    answer: str


@dataclass(slots=True)
class _Tally:
    """What the threads found; each list has one writer at a time or is only appended to."""

    ask_ms: list[float] = field(default_factory=list)
    write_ms: list[float] = field(default_factory=list)
    said: list[_Said] = field(default_factory=list)
    held: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    commits: list[int] = field(default_factory=list)
    reconnections: list[int] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


def soak(
    url: str,
    *,
    minutes: float,
    asks: float,
    writes: float,
    followers: int,
    towns: int,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Soaked:
    """Load the service at ``url`` with ``asks`` and ``writes`` a second, its graph being empty.

    Each of the ``towns`` has one of four mayors, which makes four times as many sentences to read:
    more than some hundred of them fill the fact memory for longer than the warm-up. ``progress`` is
    told the seconds gone. Raises BenchmarkError when the towns cannot be written, or the time is
    too short for the memory to be read often enough.
    """
    if minutes * 60 < 10 * SAMPLE_SECONDS:
        raise BenchmarkError(f"{minutes:g} minutes are too few: give at least 1")
    words = invented_words(seed)
    names = [f"{word} Town" for word in islice(words, towns)]
    mayors = [f"{next(words)} {next(words)}" for _ in range(MAYORS)]
    tally, over = _Tally(), threading.Event()
    _settle(url, names, mayors, tally)
    work: list[Callable[[], None]] = [
        lambda: _ask(url, asks, names, tally, over, random.Random(seed)),  # noqa: S311
        lambda: _write(url, writes, names, mayors, tally, over, random.Random(~seed)),  # noqa: S311
        lambda: _sample(url, tally, over),
        *[lambda: _follow(url, tally, over)] * followers,
    ]
    with ThreadPoolExecutor(len(work)) as pool:
        running = [pool.submit(part) for part in work]
        began = time.monotonic()
        while (gone := time.monotonic() - began) < minutes * 60:
            if progress:
                progress(gone)
            over.wait(min(1.0, minutes * 60 - gone))
            if any(part.done() for part in running):
                break  # a part never ends by itself but by an exception, raised below
        over.set()
        for part in running:
            part.result()
    return _result(minutes, tally)


def _settle(url: str, towns: list[str], mayors: list[str], tally: _Tally) -> None:
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        made = client.put(f"{_GRAPH}/relations/mayor", json={"cardinality": "one"})
        facts = [_fact(town, mayors[n % MAYORS], 0) for n, town in enumerate(towns)]
        wrote = client.post(f"{_GRAPH}/facts", json={"facts": facts})
    for response in (made, wrote):
        if not response.is_success:
            raise BenchmarkError(f"the service answered {response.status_code}: {response.text}")
    for fact in facts:
        tally.held[fact["subject"]].append((wrote.json()["revision"], fact["object"]))


def _ask(
    url: str,
    rate: float,
    towns: list[str],
    tally: _Tally,
    over: threading.Event,
    chance: random.Random,
) -> None:
    with _client(url) as client:
        for _ in _paced(rate, over):
            town = chance.choice(towns)
            body = {"question": f"Who is the mayor of {town}?"}
            with _timed(tally.ask_ms, tally.errors):
                answer = _checked(client.post(f"{_GRAPH}/ask", json=body))
                tally.said.append(_Said(town, answer["revision"], answer["answer"]))


def _write(
    url: str,
    rate: float,
    towns: list[str],
    mayors: list[str],
    tally: _Tally,
    over: threading.Event,
    chance: random.Random,
) -> None:
    days = count(1)
    with _client(url) as client:
        for _ in _paced(rate, over):
            fact = _fact(chance.choice(towns), chance.choice(mayors), next(days))
            with _timed(tally.write_ms, tally.errors):
                receipt = _checked(client.post(f"{_GRAPH}/facts", json={"facts": [fact]}))
                tally.held[fact["subject"]].append((receipt["revision"], fact["object"]))
        # Followers wait for a commit: a last one lets them see that it is over.
        with suppress(httpx.HTTPError):
            client.post(f"{_GRAPH}/facts", json={"facts": [_fact(towns[0], mayors[0], next(days))]})


def _follow(url: str, tally: _Tally, over: threading.Event) -> None:
    """Follow the feed, leaving and resuming now and then, and compare it with the whole numbers."""
    last = heard = visits = 0
    with _client(url) as client:
        while not over.is_set():
            leaves = time.monotonic() + RECONNECT_SECONDS
            headers = {"Accept": "text/event-stream", "Last-Event-ID": str(last)}
            try:
                with client.stream("GET", f"{_GRAPH}/changes", headers=headers) as stream:
                    for line in stream.iter_lines():
                        if line.startswith("id: "):
                            revision = int(line.removeprefix("id: "))
                            if revision != last + 1:
                                tally.gaps.append(f"{revision} came after {last}")
                            last, heard = revision, heard + 1
                        if over.is_set() or time.monotonic() > leaves:
                            break
                visits += 1
            except httpx.HTTPError as error:
                tally.errors.append(f"following: {error!r}")
                over.wait(1)
    tally.commits.append(heard)
    tally.reconnections.append(max(0, visits - 1))


def _sample(url: str, tally: _Tally, over: threading.Event) -> None:
    with _client(url) as client:
        while not over.wait(SAMPLE_SECONDS):
            found = _MEMORY.search(client.get("/metrics").text)
            if found is None:
                raise BenchmarkError("the service does not tell its memory: it does so on Linux")
            tally.memory.append(float(found[1]) / 2**20)


def _result(minutes: float, tally: _Tally) -> Soaked:
    settled = tally.memory[int(WARM_UP * len(tally.memory)) :]
    quarter = max(1, len(settled) // 4)
    before, after = statistics.median(settled[:quarter]), statistics.median(settled[-quarter:])
    wrong = [said for said in tally.said if _holder(tally, said) not in said.answer]
    first = None
    if wrong:
        first = f"{wrong[0].answer!r} of {wrong[0].town}, not {_holder(tally, wrong[0])}"
    return Soaked(
        minutes=minutes,
        asks=len(tally.said),
        writes=len(tally.write_ms),
        commits_followed=sum(tally.commits),
        reconnections=sum(tally.reconnections),
        ask_ms=percentiles(tally.ask_ms),
        write_ms=percentiles(tally.write_ms),
        memory_before=round(before, 1),
        memory_after=round(after, 1),
        memory_growth_percent=round(100 * (after / before - 1), 2),
        memory=[round(each, 1) for each in tally.memory],
        errors=len(tally.errors),
        first_error=tally.errors[0] if tally.errors else None,
        wrong_answers=len(wrong),
        first_wrong=first,
        gaps=len(tally.gaps),
    )


def _holder(tally: _Tally, said: _Said) -> str:
    """Who held the office at the revision that an answer was read from."""
    return [mayor for revision, mayor in tally.held[said.town] if revision <= said.revision][-1]


def table(result: Soaked) -> str:
    """The result as text, ending with a newline."""

    def times(found: Percentiles | None) -> str:
        return "none" if found is None else f"p50 {found.p50:.1f} ms, p95 {found.p95:.1f} ms"

    return (
        f"{result.minutes:g} minutes: {result.asks} asks ({times(result.ask_ms)}), "
        f"{result.writes} writes ({times(result.write_ms)})\n"
        f"{result.commits_followed} commits came to followers, who left and resumed "
        f"{result.reconnections} times; gaps: {result.gaps}\n"
        f"memory {result.memory_before:.0f} MiB after the warm-up, {result.memory_after:.0f} at "
        f"the end: {result.memory_growth_percent:+.1f} %\n"
        f"errors: {result.errors}{_because(result.first_error)}; "
        f"wrong answers: {result.wrong_answers}{_because(result.first_wrong)}\n"
    )


def _because(first: str | None) -> str:
    return "" if first is None else f" (the first: {first})"


def _fact(town: str, mayor: str, day: int) -> dict[str, str]:
    since = _FIRST_DAY + timedelta(days=day)
    return {"subject": town, "relation": "mayor", "object": mayor, "valid_from": since.isoformat()}


def _client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=120, trust_env=False)


def _paced(rate: float, over: threading.Event) -> Iterator[None]:
    """``rate`` times a second until it is over; what comes late is not made up for."""
    due = time.monotonic()
    while not over.wait(max(0.0, due - time.monotonic())):
        yield
        due = max(due + 1 / rate, time.monotonic() - 1 / rate)


@contextmanager
def _timed(times: list[float], errors: list[str]) -> Iterator[None]:
    """Note how long the block took in ms, or what went wrong."""
    began = time.perf_counter()
    try:
        yield
    except (httpx.HTTPError, BenchmarkError) as error:
        errors.append(f"{error!r}")
    else:
        times.append(1000 * (time.perf_counter() - began))


def _checked(response: httpx.Response) -> dict[str, Any]:
    if not response.is_success:
        raise BenchmarkError(f"the service answered {response.status_code}: {response.text}")
    record: dict[str, Any] = response.json()
    return record
