"""Python's garbage collector, and when it had better rest."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_rest() -> Iterator[None]:
    """Let the collector rest for a while that makes many objects and no cycle.

    It would look through them for cycles again and again, which takes a tenth of the time that an
    import takes. The cycles of other threads wait meanwhile, so use it for a second or so. Where
    the collector is disabled it stays so.
    """
    works = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if works:
            gc.enable()
