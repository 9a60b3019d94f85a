"""Who waits for whom. Work that blocks runs in worker threads, in lanes that never wait for each
other: a write or a read is not held up by the language model, however many asks are queued.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from service.errors import Problem

T = TypeVar("T")

READERS = 8
WRITERS = 4
SEARCHERS = 2
FOLLOWERS = 64
"""Threads that wait for new commits. Each wait is short, so more followers than this take turns."""


class NobodyWaits(Exception):
    """The client hung up before its turn came, so the work was not started."""


class Lanes:
    """One bounded set of worker threads for each kind of work."""

    def __init__(self, *, concurrent_asks: int, max_waiting_asks: int) -> None:
        self._reads = CapacityLimiter(READERS)
        self._writes = CapacityLimiter(WRITERS)
        self._searches = CapacityLimiter(SEARCHERS)
        self._follows = CapacityLimiter(FOLLOWERS)
        self._asks = CapacityLimiter(concurrent_asks)
        self._turns = CapacityLimiter(concurrent_asks)
        self._max_waiting_asks = max_waiting_asks

    @property
    def waiting_asks(self) -> int:
        """Asks that wait for their turn."""
        return self._turns.statistics().tasks_waiting

    async def read(self, work: Callable[[], T]) -> T:
        """Run a quick look-up in the store."""
        return await run_sync(work, limiter=self._reads)

    async def write(self, work: Callable[[], T]) -> T:
        """Run a change of the store; it ends when the change is durable."""
        return await run_sync(work, limiter=self._writes)

    async def search(self, work: Callable[[], T]) -> T:
        """Run a retrieval: it needs the encoder, not the language model."""
        return await run_sync(work, limiter=self._searches)

    async def follow(self, work: Callable[[], T]) -> T:
        """Wait for a commit."""
        return await run_sync(work, limiter=self._follows)

    async def ask(self, work: Callable[[], T], hung_up: Callable[[], Awaitable[bool]]) -> T:
        """Run an ask in its turn.

        Raises Problem 503 when too many wait already, NobodyWaits when ``hung_up()`` holds once its
        turn comes.
        """
        if self._turns.available_tokens == 0 and self.waiting_asks >= self._max_waiting_asks:
            raise Problem(
                "too_many_asks",
                f"{self.waiting_asks} asks wait for the model already; try again in a few seconds",
                headers={"Retry-After": "5"},
            )
        async with self._turns:
            if await hung_up():
                raise NobodyWaits
            return await run_sync(work, limiter=self._asks)
