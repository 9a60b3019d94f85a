from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from benchmarks.schema import BenchmarkError
from benchmarks.speed.step import Pass, StepSpeed, measure, table
from benchmarks.speed.ttft import Spread
from dysk.language_model import LanguageModel
from tests.contracts.tiny_model import save_tiny_model

SENTENCES = [f"Town {number} has {number} wells." for number in range(12)]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, LanguageModel]]:
    folder: Path = save_tiny_model(tmp_path_factory.mktemp("tiny"))
    bare = AutoModelForCausalLM.from_pretrained(folder, dtype="float32", local_files_only=True)
    yield bare.eval(), LanguageModel(folder, memory_bytes=1 << 20)


def test_each_round_but_the_first_counts(models: tuple[Any, LanguageModel]) -> None:
    rounds: list[None] = []
    result = measure(*models, SENTENCES, tokens=5, rounds=3, progress=lambda: rounds.append(None))
    assert (result.candidates, result.rounds, len(rounds)) == (12, 3, 4)
    assert (result.question.tokens, result.step.tokens) == (5, 1)
    assert result.question.reading_over_bare.median > 0 < result.step.bare_ms.p20


def test_the_model_is_left_idle_and_its_blocks_unpinned(models: tuple[Any, LanguageModel]) -> None:
    _, model = models
    measure(*models, SENTENCES, tokens=5, rounds=1)
    assert model.attachment.active is None
    assert model.memory.forget([f"step {number}" for number in range(12)]) == 12
    assert model.memory.stats.blocks == 0


def test_too_few_facts_leave_nothing_to_choose(models: tuple[Any, LanguageModel]) -> None:
    with pytest.raises(BenchmarkError, match="give over 8"):
        measure(*models, SENTENCES[:8], tokens=5, rounds=1)


def test_the_table_names_both_passes() -> None:
    one = Pass(32, Spread(1, 2, 3), Spread(2, 4, 6), Spread(1.9, 2.0, 2.1))
    step = Pass(1, Spread(0.5, 0.5, 0.5), Spread(1, 1, 1), Spread(2, 2, 2))
    text = table(StepSpeed(64, 8, 60, 2, one, step))
    assert "question, 32 tokens | 2.0 [1.0, 3.0] | 4.0 [2.0, 6.0] | 2.00 [1.90, 2.10]" in text
    assert "step, a token" in text and "64 candidates" in text
