"""From a published file to the two files that ``dysk bench run`` reads."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from benchmarks.formats import knowedit, mquake, popqa, templama, timeqa
from benchmarks.schema import BenchmarkError


class Format(StrEnum):
    """The formats that can be read."""

    MQUAKE = "mquake"
    TIMEQA = "timeqa"
    TEMPLAMA = "templama"
    KNOWEDIT = "knowedit"
    POPQA = "popqa"


_READERS = {
    Format.MQUAKE: mquake.read,
    Format.TIMEQA: timeqa.read,
    Format.TEMPLAMA: templama.read,
    Format.KNOWEDIT: knowedit.read,
    Format.POPQA: popqa.read,
}


def convert(format: Format, path: Path, folder: Path) -> tuple[int, int]:
    """Write ``facts.jsonl`` and ``questions.jsonl``; returns how many of each.

    Raises BenchmarkError for what cannot be read, is of another format, or cannot be written.
    """
    try:
        return _READERS[format](path).write(folder)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BenchmarkError(
            f"{path.name} is not {format}'s format: {type(error).__name__} {error}"
        ) from error
