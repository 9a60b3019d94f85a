"""What reading facts adds to a pass of the model: the bare model, and the same one attached.

The bare model is the model as transformers loads it; attached, every layer chooses among the
candidates' blocks and attends to them. Both take turns within a round, and the ratios are within
rounds, so that a slow minute divides out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from transformers import DynamicCache

from benchmarks.report import table as markdown_table
from benchmarks.schema import BenchmarkError
from benchmarks.speed.ttft import Spread, ratio, spread
from dysk.attention import Reading
from dysk.language_model import LanguageModel
from dysk.reading import GATE, TEMPERATURE

K = 8
"""Blocks that each query keeps of the candidates."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Milliseconds of a forward pass over so many tokens, bare and reading, and the ratio."""

    tokens: int
    bare_ms: Spread
    reading_ms: Spread
    reading_over_bare: Spread


@dataclass(frozen=True, slots=True)
class StepSpeed:
    """``question`` is a prompt's pass, ``step`` one that decodes a token behind it."""

    candidates: int
    k: int
    rounds: int
    threads: int
    question: Pass
    step: Pass


@torch.inference_mode()
def measure(
    bare: Any,
    model: LanguageModel,
    sentences: Sequence[str],
    *,
    tokens: int,
    rounds: int,
    progress: Callable[[], None] | None = None,
) -> StepSpeed:
    """Time ``rounds`` passes over ``tokens`` tokens, and steps behind them, of the bare model and
    of ``model``, the same one attached, while each of ``sentences`` is a candidate.
    """
    if len(sentences) <= K:
        raise BenchmarkError(f"{len(sentences)} facts leave nothing to choose: give over {K}")
    texts = [(f"step {number}", text) for number, text in enumerate(sentences)]
    with model.memory.lease(texts) as lease:
        span = int(model.memory.length[lease.rows].max())
        question = torch.arange(100, 100 + tokens)[None]  # which tokens they are costs no time
        reading = Reading(model.memory, lease.rows[None], k=K, temperature=TEMPERATURE, gate=GATE)
        times: dict[str, list[tuple[float, float]]] = {"bare": [], "reading": []}
        for number in range(rounds + 1):
            plain = _passes(bare, question, span)
            with model.attachment.reading(reading):
                read = _passes(model.model, question, span)
            if number:  # the first round warms up
                times["bare"].append(plain)
                times["reading"].append(read)
            if progress:
                progress()
    question_pass, step_pass = (
        _pass(length, *([taken[place] for taken in times[name]] for name in ("bare", "reading")))
        for place, length in enumerate((tokens, 1))
    )
    return StepSpeed(len(sentences), K, rounds, torch.get_num_threads(), question_pass, step_pass)


def _passes(model: Any, question: torch.Tensor, span: int) -> tuple[float, float]:
    """Seconds of a pass over the question, and the median of those of four steps behind it."""
    cache = DynamicCache()
    position = span
    taken = []
    for ids in (question, *([question[:, :1]] * 4)):
        positions = torch.arange(position, position + ids.shape[1])[None]
        began = time.perf_counter()
        model(ids, past_key_values=cache, position_ids=positions, use_cache=True, logits_to_keep=1)
        taken.append(time.perf_counter() - began)
        position += ids.shape[1]
    return taken[0], median(taken[1:])


def _pass(tokens: int, bare: list[float], reading: list[float]) -> Pass:
    return Pass(
        tokens,
        spread([1e3 * seconds for seconds in bare]),
        spread([1e3 * seconds for seconds in reading]),
        ratio(reading, bare),
    )


def table(result: StepSpeed) -> str:
    """The result as Markdown, ending with a newline."""

    def shown(value: Spread, digits: int) -> str:
        return f"{value.median:.{digits}f} [{value.p20:.{digits}f}, {value.p80:.{digits}f}]"

    rows = [
        [
            f"{name}, {one.tokens} tokens" if one.tokens > 1 else f"{name}, a token",
            shown(one.bare_ms, 1),
            shown(one.reading_ms, 1),
            shown(one.reading_over_bare, 2),
        ]
        for name, one in (("question", result.question), ("step", result.step))
    ]
    header = ("pass", "bare ms, median [p20, p80]", "reading ms", "reading / bare")
    return (
        f"{markdown_table(header, rows)}\n\n{result.candidates} candidates, of which each query "
        f"keeps {result.k}; {result.threads} threads, {result.rounds} rounds\n"
    )
