"""A short run of the fuzzer, and proof that it can find what it looks for."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from graph import Add
from graph.interchange import IMPORT_FORMATS, BadLine, ImportFormat, read
from graph.interchange.loading import Numbered
from tests.graph.interchange import fuzz
from tests.graph.interchange.accounting import unaccounted
from tests.graph.interchange.documents import DOCUMENTS

FORMATS = pytest.mark.parametrize("format", IMPORT_FORMATS)


def test_mutated_documents_crash_hang_and_drop_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole run is a command: see docs/interchange.md."""
    monkeypatch.chdir(tmp_path)  # where an input that fails is left
    counts = fuzz.fuzz(1_000, seed=2026)
    assert all(counts[f"{format}: inputs"] > 150 for format in IMPORT_FORMATS)
    assert all(counts[f"{format}: bad"] > 50 for format in IMPORT_FORMATS)
    assert all(counts[f"{format}: facts added"] > 50 for format in IMPORT_FORMATS)


@FORMATS
def test_an_item_that_is_missing_is_noticed(format: ImportFormat) -> None:
    for document in DOCUMENTS[format]:
        lines = document.splitlines(keepends=True)
        items: list[Numbered] = list(read(format, lines))
        assert unaccounted(format, lines, items) is None
        if format == "csv" and b'"' in document:
            continue  # where rows end is known for tables without quotes
        facts = [index for index, (_, item) in enumerate(items) if isinstance(item, Add)]
        for index in itertools.islice(facts, 5):
            assert unaccounted(format, lines, items[:index] + items[index + 1 :])


@FORMATS
def test_a_bad_line_that_is_missing_is_noticed(format: ImportFormat) -> None:
    lines = DOCUMENTS[format][0].splitlines(keepends=True)
    lines.insert(1, b'x y "z\n' if format == "turtle" else b"x y z\n")
    items: list[Numbered] = list(read(format, lines))
    assert unaccounted(format, lines, items) is None
    good = [each for each in items if not isinstance(each[1], BadLine)]
    assert len(good) < len(items)
    assert unaccounted(format, lines, good)


def test_an_importer_that_crashes_or_hangs_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def crash(*_: object, **__: object) -> None:
        raise KeyError("subject")

    def hang(*_: object, **__: object) -> None:
        while True:
            pass

    monkeypatch.setattr(fuzz, "SECONDS", 0.05)
    for broken, said in ((crash, "KeyError"), (hang, "it takes over")):
        monkeypatch.setattr(fuzz, "read", broken)
        with pytest.raises(fuzz.Failure, match=said):
            fuzz.fuzz(1, seed=1)
    assert (tmp_path / "fuzz-1-0.jsonl").is_file()
