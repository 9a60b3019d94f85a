"""Facts and questions as they are gathered from somebody else's file, and how they are written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.schema import BenchmarkError, open_lines

FACTS, QUESTIONS = "facts.jsonl", "questions.jsonl"


@dataclass(slots=True)
class Collected:
    """What a file held. Ids are the format's name and a number, in order of appearance."""

    prefix: str
    _relations: dict[str, dict[str, Any]] = field(default_factory=dict)
    _facts: dict[tuple[str | None, ...], dict[str, Any]] = field(default_factory=dict)
    _questions: list[dict[str, Any]] = field(default_factory=list)

    def relation(self, name: str, template: str) -> None:
        """Word facts of this relation by a template with {subject} and {object}."""
        self._relations[name] = {"relation": name, "template": template}

    def fact(
        self,
        subject: str,
        relation: str,
        object: str,
        valid_from: str | None = None,
        valid_to: str | None = None,
        *,
        aliases: Sequence[str] = (),
        object_aliases: Sequence[str] = (),
    ) -> str:
        """Add a fact, or find it again; returns its id."""
        key = (subject, relation, object, valid_from, valid_to)
        if key not in self._facts:
            optional: dict[str, Any] = {
                "valid_from": valid_from,
                "valid_to": valid_to,
                "aliases": [name for name in aliases if name != subject],
                "object_aliases": [name for name in object_aliases if name != object],
            }
            self._facts[key] = {
                "id": f"{self.prefix}:f{len(self._facts) + 1}",
                "subject": subject,
                "relation": relation,
                "object": object,
                **{name: value for name, value in optional.items() if value},
            }
        return str(self._facts[key]["id"])

    def question(
        self,
        text: str,
        answers: Iterable[str],
        kind: str,
        *,
        facts: Sequence[str] = (),
        hops: int | None = None,
        as_of: str | None = None,
        old_answers: Iterable[str] = (),
    ) -> None:
        """Add a question; answers that are empty or come twice are left out."""
        right = _distinct(answers)
        record: dict[str, Any] = {
            "id": f"{self.prefix}:q{len(self._questions) + 1}",
            "question": text,
            "answers": right,
            "kind": kind,
            "facts": list(facts),
            "hops": hops,
            "as_of": as_of,
            "old_answers": [old for old in _distinct(old_answers) if old not in right],
        }
        self._questions.append(
            {name: v for name, v in record.items() if v or name in ("answers", "kind")}
        )

    def write(self, folder: Path) -> tuple[int, int]:
        """Write both files; returns how many facts and questions. Raises BenchmarkError."""
        if not self._questions or not self._facts:
            raise BenchmarkError("the file holds no fact or no question of this format")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lines = [*self._relations.values(), *self._facts.values()]
            _write(folder / FACTS, lines)
            _write(folder / QUESTIONS, self._questions)
        except OSError as error:
            raise BenchmarkError(f"cannot write to {folder}: {error.strerror}") from error
        return len(self._facts), len(self._questions)


def read_json(path: Path) -> list[Mapping[str, Any]]:
    """The objects of a file that is one JSON array. Raises BenchmarkError."""
    try:
        records: Any = json.loads(b"".join(open_lines(path)))
    except ValueError as error:
        raise BenchmarkError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise BenchmarkError(f"{path.name} must be a JSON array of objects")
    return list(records)


def read_json_lines(path: Path) -> list[Mapping[str, Any]]:
    """The objects of a file with one a line. Raises BenchmarkError with the line."""
    records: list[Mapping[str, Any]] = []
    for number, line in enumerate(open_lines(path), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise BenchmarkError(f"{path.name}, line {number} is not JSON: {error}") from error
        if not isinstance(record, dict):
            raise BenchmarkError(f"{path.name}, line {number} is not a JSON object")
        records.append(record)
    return records


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text.strip() for text in texts if text and text.strip()))


def _write(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
    path.write_text("".join(lines), "utf-8")
