"""The contract, run for each store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from graph import MemoryStore, SQLiteStore
from tests.contracts.store import StoreContract
from tests.contracts.store_fixtures import MakeStore


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def make_store(self) -> MakeStore:
        return MemoryStore


class TestSQLiteStore(StoreContract):
    @pytest.fixture
    def make_store(self, tmp_path: Path) -> MakeStore:
        made: list[Path] = []

        def make(clock: Callable[[], datetime]) -> SQLiteStore:
            made.append(tmp_path / f"{len(made)}.db")
            return SQLiteStore(made[-1], clock)

        return make
