"""Breaking off an ask that nobody waits for any more.

The model's loops look whether they should go on, once a step. Whoever may want to break them off
wraps the ask in ``interruptible``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event

_left: ContextVar[Event | None] = ContextVar("dysk_nobody_waits", default=None)


class Interrupted(Exception):
    """The ask was broken off, since nobody waits for its answer. Not an error of dysk's."""


@contextmanager
def interruptible(left: Event) -> Iterator[None]:
    """What runs inside is broken off soon after ``left`` is set. Holds for this thread."""
    token = _left.set(left)
    try:
        yield
    finally:
        _left.reset(token)


def go_on() -> None:
    """Raises Interrupted where the ask in this thread is to be broken off."""
    left = _left.get()
    if left is not None and left.is_set():
        raise Interrupted
