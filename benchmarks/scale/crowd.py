"""What a graph of a size holds, and vectors for names that were made up to fill it.

The facts that the questions ask about come first, then the others of their file, then those of
other files as distractors, then made-up ones. So every graph holds the one before it.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load import normalised
from benchmarks.schema import Question, open_lines
from benchmarks.speed.invented_facts import fact_lines, is_invented, relation_lines
from dysk.retrieval.encoder import Progress, TextEncoder, Vectors, unit

_FIELDS = ("subject", "relation", "object", "valid_from", "valid_to", "source")
_DRAWN = 3


def lines_of(
    size: int, facts: Path, questions: Sequence[Question], distractors: Sequence[Path]
) -> Iterator[bytes]:
    """JSON Lines of ``size`` facts, after the lines that declare relations. Raises BenchmarkError.

    Facts of ``facts`` keep their ids, which the questions name; distractors get others.
    """
    own = list(_records(facts))
    asked = {fact for question in questions for fact in question.facts}
    stated = [record for record in own if "subject" in record]
    stated.sort(key=lambda record: record.get("id") not in asked)
    declared = (json.dumps(record).encode() for record in own if "subject" not in record)
    others = (
        json.dumps({field: record[field] for field in _FIELDS if field in record}).encode()
        for path in distractors
        for record in _records(path)
        if "subject" in record
    )
    kept = (
        json.dumps({field: record[field] for field in ("id", *_FIELDS) if field in record}).encode()
        for record in stated
    )
    crowd = islice(chain(kept, others, fact_lines(size)), size)
    return chain(relation_lines(), declared, crowd)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, normalised(open_lines(path), Counter()))


class CrowdEncoder:
    """A TextEncoder that gives made-up names *stand-ins*, and all other texts their real vectors.

    A stand-in is the mean of the vectors of three real names, drawn by the name's hash: it lies
    where real names lie, and a million of them take minutes and not an hour.
    """

    def __init__(self, encoder: TextEncoder, names: Sequence[str]) -> None:
        """``names`` are real ones to draw from."""
        self._encoder = encoder
        self.dim = encoder.dim
        self.fingerprint = f"{encoder.fingerprint}-crowd"
        self._drawn_from = encoder.encode(list(names))

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """float32 [len(texts), dim]."""
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        made_up = [place for place, text in enumerate(texts) if is_invented(text)]
        real = sorted(set(range(len(texts))).difference(made_up))
        if real:
            vectors[real] = self._encoder.encode([texts[place] for place in real], progress)
        if made_up:
            count = len(self._drawn_from)
            rows = [
                [zlib.crc32(f"{n} {texts[place]}".encode()) % count for n in range(_DRAWN)]
                for place in made_up
            ]
            vectors[made_up] = unit(self._drawn_from[rows].mean(axis=1))
        return vectors
