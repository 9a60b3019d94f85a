from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.schema import BenchmarkError
from benchmarks.speed import store as bench
from benchmarks.speed.store import Spread, StoreSpeed, measure, table
from graph import SQLiteStore


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"BATCH": 40, "BATCHES": 2, "SINGLES": 16, "THREADS": 4}.items():
        monkeypatch.setattr(bench, name, value)


@pytest.mark.usefixtures("brief")
def test_everything_is_written_to_a_store_and_timed(tmp_path: Path) -> None:
    lines: list[int] = []
    result = measure(tmp_path, 200, progress=lines.append)
    assert lines[-1] == 224  # facts and relations
    with SQLiteStore(tmp_path / "graph.db") as store:
        # Imported in one commit of 24 relations and 200 facts, then two batches, then one by one.
        assert store.snapshot().count() == 200 + 2 * 40 + 3 * 16
        assert store.revision == 1 + 2 + 3 * 16
    spreads = [value for value in asdict(result).values() if isinstance(value, dict)]
    assert len(spreads) == 6
    assert all(0 < spread["p50"] <= spread["p99"] for spread in spreads)
    assert result.lookup_ms.count == result.neighbours_ms.count == 200
    assert result.import_per_s > 0
    assert result.file_mb > 0


def test_a_read_that_finds_nothing_is_no_measurement(tmp_path: Path) -> None:
    lost = [{"subject": "nobody", "relation": "r", "valid_from": "2000"}]
    with (
        SQLiteStore(tmp_path / "graph.db") as store,
        pytest.raises(BenchmarkError, match="lost"),
    ):
        bench._lookups(store, lost)


def test_too_few_facts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="at least 1000"):
        measure(tmp_path, 999)


def test_the_table_has_a_line_a_figure() -> None:
    spread = Spread(10, 0.1234, 1.5, 0.1, 0.2)
    result = StoreSpeed(
        facts=1_000_000,
        file_mb=300,
        import_s=60,
        import_per_s=16_000,
        import_cpu_per_s=17_000,
        batches_per_s=12_000,
        alone_ms=spread,
        beside_reader_ms=spread,
        threads_per_s=900,
        lookup_ms=spread,
        neighbours_ms=spread,
        feed_singles_ms=spread,
        feed_batch_ms=spread,
        growth_mb=120,
    )
    lines = table(result).splitlines()
    assert lines[0] == "1,000,000 facts, 300 MB"
    assert "16,000 facts/s" in lines[1]
    assert len([line for line in lines if "p50    0.123 ms" in line]) == 6
    assert lines[-1].endswith("120 MB")
