"""Who waits for whom. Work that blocks runs in worker threads, in lanes that never wait for each
other: a write or a read is not held up by the language model, however many asks are queued.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

from anyio import CancelScope, CapacityLimiter, create_task_group, sleep
from anyio.to_thread import run_sync

from dysk.interruption import Interrupted, interruptible
from service.errors import Problem

T = TypeVar("T")

READERS = 8
WRITERS = 4
SEARCHERS = 2
FOLLOWERS = 64
"""Threads that wait for new commits. Each wait is short, so more followers than this take turns."""

LOOK_SECONDS = 0.25
"""Between two looks whether the client of an ask is still there."""


class NobodyWaits(Exception):
    """The client hung up, so its ask was not begun, or broken off."""


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

        Raises Problem 503 when too many wait already, NobodyWaits soon after ``hung_up()`` holds:
        the ask leaves the queue, or is broken off at the model's next step.
        """
        self.check_room()
        left = threading.Event()

        def watched_work() -> T:
            with interruptible(left):
                return work()

        outcome: list[T] = []
        failure: Exception | None = None
        async with create_task_group() as watching:
            waiting = CancelScope()
            watching.start_soon(_watch, hung_up, left, waiting)
            try:
                with waiting:
                    await self._turns.acquire()
                if not waiting.cancelled_caught:
                    try:
                        outcome.append(await run_sync(watched_work, limiter=self._asks))
                    finally:
                        self._turns.release()
            except Exception as error:  # raised below, since a task group would wrap it
                failure = error
            watching.cancel_scope.cancel()
        if failure is not None and not isinstance(failure, Interrupted):
            raise failure
        if not outcome:
            raise NobodyWaits
        return outcome[0]

    def check_room(self) -> None:
        """Raises Problem 503 when too many asks wait already."""
        if self._turns.available_tokens == 0 and self.waiting_asks >= self._max_waiting_asks:
            raise Problem(
                "too_many_asks",
                f"{self.waiting_asks} asks wait for the model already; try again in a few seconds",
                headers={"Retry-After": "5"},
            )


async def _watch(
    hung_up: Callable[[], Awaitable[bool]], left: threading.Event, waiting: CancelScope
) -> None:
    """Tell those who work that their client left, and give up its place in the queue."""
    try:
        while not await hung_up():
            await sleep(LOOK_SECONDS)
    finally:  # also when the ask itself is cancelled, or over
        left.set()
    waiting.cancel()
