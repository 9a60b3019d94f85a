"""Where the time of an ask went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Milliseconds by stage, since it was made."""

    def __init__(self) -> None:
        self._stages: dict[str, float] = dict.fromkeys(
            ("time", "coarse", "encode", "select", "prefill", "decode"), 0.0
        )
        self._began = time.perf_counter()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add what happens inside to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add((time.perf_counter() - began) * 1e3, name)

    def add(self, milliseconds: float, stage: str) -> None:
        """Time that was measured elsewhere."""
        self._stages[stage] += milliseconds

    def move(self, milliseconds: float, source: str, target: str) -> None:
        """Time that was counted in one stage and belongs to another."""
        self._stages[source] -= milliseconds
        self._stages[target] += milliseconds

    def report(self) -> dict[str, float]:
        """All stages and the total."""
        total = (time.perf_counter() - self._began) * 1e3
        return {name: round(ms, 3) for name, ms in {**self._stages, "total": total}.items()}
