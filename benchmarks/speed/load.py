"""Many askers at once on a real service, and single-fact writes at a fixed rate while they ask.

The askers first take turns, then come all at once: their answers must be the same. The writes have
an open loop: each has a moment at which it is due, and its latency counts from then, so that a
service that stalls is charged for all who came meanwhile. What is asked about is not what is
written, so answers stay comparable.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count, islice
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks.schema import BenchmarkError
from benchmarks.speed.names import invented_words

RELATIONS = ("location", "builder", "keeper")
WRITTEN = "inspector"
"""The relation that is written while the others are asked about."""
_FACTS = "/v1/graphs/default/facts"
_ASK = "/v1/graphs/default/ask"
_RELATION = f"/v1/graphs/default/relations/{WRITTEN}"
_WRITERS = 16
"""Connections that write; the service itself writes with fewer threads."""
_FIRST_DAY = date(1900, 1, 1)


@dataclass(frozen=True, slots=True)
class Tail:
    """The median, the 99th percentile and the most, in milliseconds."""

    p50: float
    p99: float
    most: float


@dataclass(frozen=True, slots=True)
class Asked:
    """Asks by ``askers`` at once: asks a second by the clock, and how long one took."""

    askers: int
    asks: int
    per_second: float
    ask_ms: Tail


@dataclass(frozen=True, slots=True)
class Written:
    """Single-fact writes beside ``asks_per_second`` answers: their latency counts from when each
    was due."""

    wanted_per_second: float
    achieved_per_second: float
    writes: int
    write_ms: Tail
    asks_per_second: float


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it. ``different`` answers at once are not what was said when asked alone."""

    alone: Asked
    together: Asked
    speedup: float
    different: int
    first_different: str | None
    writing: Written
    errors: int
    first_error: str | None

    @property
    def sound(self) -> bool:
        """Nothing failed, and nothing was answered in another way."""
        return not (self.errors or self.different)


def measure(
    url: str,
    *,
    askers: int,
    asks: int,
    writes: float,
    seconds: float,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> Load:
    """Load the service at ``url``, whose graph is empty: ``asks`` different questions one by one,
    the same by ``askers`` at once, and ``writes`` a second for ``seconds`` while they ask on.

    Raises BenchmarkError when the facts cannot be written.
    """
    words = invented_words(seed)
    lighthouses = [f"{word} Lighthouse" for word in islice(words, -(-asks // len(RELATIONS)))]
    _settle(url, lighthouses, words)
    questions = [
        f"What is the {relation} of {lighthouse}?"
        for relation in RELATIONS
        for lighthouse in lighthouses
    ][:asks]
    errors: list[str] = []
    progress("warming")  # each fact's block is made once
    _ask_all(url, questions, askers, errors)
    progress("asking one by one")
    alone, expected = _ask_all(url, questions, 1, errors)
    progress(f"{askers} asking at once")
    together, said = _ask_all(url, questions, askers, errors)
    different = [
        f"{one!r}, not {other!r}" for one, other in zip(said, expected, strict=True) if one != other
    ]
    progress(f"writing {writes:g} a second while {askers} ask")
    inspectors = list(islice(words, 8))
    writing = _write_while_asking(
        url, questions, lighthouses, inspectors, askers, writes, seconds, errors
    )
    return Load(
        alone=alone,
        together=together,
        speedup=round(together.per_second / alone.per_second, 2),
        different=len(different),
        first_different=different[0] if different else None,
        writing=writing,
        errors=len(errors),
        first_error=errors[0] if errors else None,
    )


def _settle(url: str, lighthouses: Sequence[str], words: Iterator[str]) -> None:
    facts = [
        {"subject": lighthouse, "relation": relation, "object": next(words)}
        for relation in RELATIONS
        for lighthouse in lighthouses
    ]
    with closing(_Client(url)) as client:
        client.send("PUT", _RELATION, {"cardinality": "one"})
        for begin in range(0, len(facts), 500):
            client.send("POST", _FACTS, {"facts": facts[begin : begin + 500]})


def _ask_all(
    url: str, questions: Sequence[str], askers: int, errors: list[str]
) -> tuple[Asked, list[str]]:
    """Each question once, and the answers in their order; what failed is answered by nothing."""
    took: list[float] = []

    def ask(number: int) -> list[str]:
        with closing(_Client(url)) as client:
            return [_ask(client, question, took, errors) for question in questions[number::askers]]

    with ThreadPoolExecutor(askers) as pool:
        began = time.perf_counter()
        parts = list(pool.map(ask, range(askers)))
        seconds = time.perf_counter() - began
    answers = [parts[n % askers][n // askers] for n in range(len(questions))]
    rate = round(len(questions) / seconds, 3)
    return Asked(askers, len(questions), rate, _tail(took)), answers


def _ask(client: _Client, question: str, took: list[float], errors: list[str]) -> str:
    began = time.perf_counter()
    try:
        answer: str = client.send("POST", _ASK, {"question": question})["answer"]
    except (BenchmarkError, OSError, http.client.HTTPException) as error:
        errors.append(f"asking: {error}")
        return ""
    took.append((time.perf_counter() - began) * 1e3)
    return answer


def _write_while_asking(
    url: str,
    questions: Sequence[str],
    lighthouses: Sequence[str],
    inspectors: Sequence[str],
    askers: int,
    rate: float,
    seconds: float,
    errors: list[str],
) -> Written:
    over = threading.Event()
    asked: list[float] = []
    wrote: list[float] = []
    numbers = count()

    def ask(number: int) -> None:
        with closing(_Client(url)) as client:
            for turn in count(number):
                if over.is_set():
                    return
                _ask(client, questions[turn % len(questions)], asked, errors)

    def write(due: Callable[[int], float]) -> None:
        with closing(_Client(url)) as client:
            while (number := next(numbers)) < rate * seconds:
                time.sleep(max(0.0, due(number) - time.perf_counter()))
                fact = {
                    "subject": lighthouses[number % len(lighthouses)],
                    "relation": WRITTEN,
                    "object": inspectors[number % len(inspectors)],
                    "valid_from": (_FIRST_DAY + timedelta(number)).isoformat(),
                }
                try:
                    client.send("POST", _FACTS, {"facts": [fact]})
                except (BenchmarkError, OSError, http.client.HTTPException) as error:
                    errors.append(f"writing: {error}")
                    continue
                wrote.append((time.perf_counter() - due(number)) * 1e3)

    with ThreadPoolExecutor(askers + _WRITERS) as pool:
        asking = [pool.submit(ask, number) for number in range(askers)]
        time.sleep(1)  # until all of them wait for the model
        asked.clear()
        began = time.perf_counter()
        writers = [
            pool.submit(write, lambda number: began + number / rate) for _ in range(_WRITERS)
        ]
        for writer in writers:
            writer.result()
        took = time.perf_counter() - began
        answered = len(asked)
        over.set()
        for asker in asking:
            asker.result()
    return Written(
        wanted_per_second=rate,
        achieved_per_second=round(len(wrote) / took, 1),
        writes=len(wrote),
        write_ms=_tail(wrote),
        asks_per_second=round(answered / took, 3),
    )


class _Client:
    """One connection. Of the standard library: it takes little of the machine that it shares with
    the service.
    """

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=300)

    def send(self, method: str, path: str, body: object) -> dict[str, Any]:
        """The service's JSON. Raises BenchmarkError for what is no success."""
        try:
            self._connection.request(
                method, path, json.dumps(body), {"Content-Type": "application/json"}
            )
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next request opens another
            raise
        if not 200 <= response.status < 300:
            raise BenchmarkError(
                f"the service answered {response.status}: {text.decode(errors='replace')}"
            )
        record: dict[str, Any] = json.loads(text)
        return record

    def close(self) -> None:
        self._connection.close()


def _tail(milliseconds: Sequence[float]) -> Tail:
    """Percentiles; of nothing they are NaN."""
    if not milliseconds:
        return Tail(np.nan, np.nan, np.nan)
    p50, p99, most = np.percentile(milliseconds, [50, 99, 100])
    return Tail(round(float(p50), 2), round(float(p99), 2), round(float(most), 2))


def table(result: Load) -> str:
    """The result as Markdown, ending with a newline."""
    from benchmarks.report import table as markdown_table

    rows = [
        [
            f"{asked.askers} asking",
            f"{asked.per_second:.2f}",
            f"{asked.ask_ms.p50:.0f}",
            f"{asked.ask_ms.p99:.0f}",
        ]
        for asked in (result.alone, result.together)
    ]
    written = result.writing
    rows.append(
        [
            f"{written.wanted_per_second:g} writes a second, {result.together.askers} asking",
            f"{written.achieved_per_second:.1f} writes, {written.asks_per_second:.2f} answers",
            f"{written.write_ms.p50:.1f}",
            f"{written.write_ms.p99:.1f}",
        ]
    )
    header = ("", "a second", "p50 ms", "p99 ms")
    verdict = "the same as alone" if not result.different else f"{result.different} differ"
    lines = [
        markdown_table(header, rows),
        "",
        f"at once / one by one: {result.speedup:.2f}; answers: {verdict}; errors: {result.errors}",
        *(line for line in (result.first_different, result.first_error) if line),
    ]
    return "\n".join(lines) + "\n"
