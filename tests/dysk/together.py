"""Threads that hand in their steps at once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from dysk.passes import Passes, Step


def together(passes: Passes, steps: Sequence[Step]) -> list[Tensor | BaseException]:
    """What each of these steps gets when all are handed in by those who speak at the time."""
    all_speak = threading.Barrier(len(steps))

    def run(step: Step) -> Tensor | BaseException:
        with torch.inference_mode(), passes.speaking():
            all_speak.wait(30)
            try:
                return passes.run(step)
            except BaseException as error:
                return error

    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(run, steps))
