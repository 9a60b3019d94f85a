"""What a benchmark reads and writes a line at a time: questions in, samples out.

Files are JSON Lines, plain or gzipped. A bad line stops the run with its file, number and reason:
a score over the lines that happened to parse would be a score of something else.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dysk.errors import DyskError
from graph.errors import InvalidTime
from graph.interval import parse_date


class BenchmarkError(DyskError):
    """A file, a name or an option cannot be used; the message says which and what to do."""

    code = "benchmark_input"


@dataclass(frozen=True, slots=True)
class Question:
    """One question. Any of ``answers`` counts; none at all means that abstaining is right.

    ``facts`` are the ids of the facts that answer it: one a hop, in order, where ``hops`` > 1,
    alternatives where it is 1. ``old_answers`` were true before ``as_of``, or before an edit, and
    no longer are.
    """

    id: str
    question: str
    answers: tuple[str, ...]
    as_of: str | None = None
    facts: tuple[str, ...] = ()
    hops: int | None = None
    kind: str = "unspecified"
    old_answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SampleEvidence:
    """A fact in evidence; ``attention`` is None where nothing was read by attention."""

    fact_id: str
    attention: float | None
    coarse_score: float


@dataclass(frozen=True, slots=True)
class Sample:
    """What one system made of one question: a line of ``samples.jsonl``. Times are in milliseconds.

    ``stale`` is None without old answers, the hits are None without gold facts or where the system
    reads no facts, the times are None where the ask failed; ``error`` then says why.
    """

    system: str
    id: str
    question: str
    kind: str
    hops: int | None
    as_of: str | None
    answers: tuple[str, ...]
    old_answers: tuple[str, ...]
    gold_facts: tuple[str, ...]
    output: str
    evidence: tuple[SampleEvidence, ...]
    correct: bool
    exact_match: bool
    f1: float
    stale: bool | None
    abstained: bool
    grounded: bool | None
    hit_at_1: bool | None
    hit_at_k: bool | None
    ttft_ms: float | None
    latency_ms: float | None
    timings_ms: Mapping[str, float]
    usage: Mapping[str, int]
    error: str | None = None

    def to_line(self) -> str:
        """The sample as one line of JSON, newline included."""
        return json.dumps(asdict(self), ensure_ascii=False) + "\n"


def open_lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, unzipped where its name ends in ``.gz``. Raises BenchmarkError."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            yield from file
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BenchmarkError(f"cannot read {path}: {reason}") from error


def content_sha256(path: Path) -> str:
    """SHA-256 of the content in hexadecimal: the same for a file and for its gzipped copy."""
    digest = hashlib.sha256()
    for line in open_lines(path):
        digest.update(line)
    return digest.hexdigest()


def read_questions(path: Path) -> list[Question]:
    """The questions of a file, in its order; blank lines are skipped.

    Raises BenchmarkError for an unreadable file, a bad line, an id used twice, or no question at
    all.
    """
    questions: list[Question] = []
    seen: set[str] = set()
    for number, line in enumerate(open_lines(path), start=1):
        if not line.strip():
            continue
        try:
            question = parse_question(line)
        except ValueError as error:
            raise BenchmarkError(f"{path.name}, line {number}: {error}") from error
        if question.id in seen:
            raise BenchmarkError(f"{path.name}, line {number}: id {question.id!r} is used twice")
        seen.add(question.id)
        questions.append(question)
    if not questions:
        raise BenchmarkError(f"{path.name} holds no question; write one JSON object a line")
    return questions


def parse_question(line: bytes) -> Question:
    """Read one line; fields not known here are passed over. Raises ValueError with the reason."""
    try:
        record = json.loads(line)
    except UnicodeDecodeError as error:
        raise ValueError("the line is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"the line is not JSON ({error.msg})") from error
    if not isinstance(record, dict):
        raise ValueError("a question is a JSON object")
    answers = _texts(record, "answers")
    if "answers" not in record:
        raise ValueError("'answers' is missing; write [] for a question that has none")
    return Question(
        id=_text(record, "id"),
        question=_text(record, "question"),
        answers=answers,
        as_of=_date(record),
        facts=_texts(record, "facts"),
        hops=_hops(record),
        kind=_text(record, "kind", default="unspecified" if answers else "unanswerable"),
        old_answers=_texts(record, "old_answers"),
    )


def _text(record: dict[str, Any], field: str, default: str | None = None) -> str:
    value = record.get(field)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{field!r} must be a text that is not empty")
    return value


def _texts(record: dict[str, Any], field: str) -> tuple[str, ...]:
    values = record.get(field)
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(v, str) and v.strip() for v in values):
        raise ValueError(f"{field!r} must be a list of texts, none of them empty")
    return tuple(values)


def _date(record: dict[str, Any]) -> str | None:
    value = record.get("as_of")
    if value is None:
        return None
    try:
        return parse_date(value).text
    except InvalidTime as error:
        raise ValueError(f"'as_of': {error}") from error


def _hops(record: dict[str, Any]) -> int | None:
    value = record.get("hops")
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("'hops' must be a whole number from 1 up")
    return value
