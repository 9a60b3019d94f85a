from __future__ import annotations

import builtins
from typing import Any

import pytest
import torch

from benchmarks.rivals.lora import Lora
from benchmarks.rivals.teaching import Lesson, TeachableModel
from benchmarks.schema import BenchmarkError

LESSONS = [
    Lesson(land, f"What is the king of {land}?", f"The king of {land} is", king)
    for land, king in (("Norland", "Ada"), ("Estmark", "Eve"))
]


def losses(model: TeachableModel) -> list[float]:
    """The mean loss of a token of each sentence, as an answer to its question."""
    found = []
    for lesson in LESSONS:
        asked = model.question_ids(lesson.question, closed=True)
        said = torch.tensor(model.draft_ids(lesson.sentence))
        ids = torch.tensor([[*asked, *said[:-1]]])
        logits = model.continued(model.read(model.head_ids), ids, keep=len(said))
        found.append(float(torch.nn.functional.cross_entropy(logits[0], said).detach()))
    return found


def test_before_a_lesson_the_model_is_what_it_was(teachable: TeachableModel) -> None:
    pytest.importorskip("peft")
    ids = torch.tensor([teachable.draft_ids("The king of Norland is Ada.")])
    before = teachable.model(ids).logits
    torch.testing.assert_close(Lora(teachable).model.model(ids).logits, before)


def test_lessons_are_learnt_and_only_the_adapter_is_trained(
    teachable: TeachableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("peft")
    monkeypatch.setattr("benchmarks.rivals.lora._ROUNDS", 60)
    monkeypatch.setattr("benchmarks.rivals.lora._RATE", 2e-2)
    lora = Lora(teachable)
    before = {name: each.clone() for name, each in teachable.model.named_parameters()}
    unlearnt = losses(teachable)
    lora.learn(LESSONS)
    assert all(now < 0.5 * then for now, then in zip(losses(teachable), unlearnt, strict=True))
    changed = [
        name
        for name, each in teachable.model.named_parameters()
        if not torch.equal(each, before[name])
    ]
    assert changed
    assert all("lora_" in name for name in changed)


def test_without_peft_one_is_told_what_to_install(
    teachable: TeachableModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = builtins.__import__

    def missing(name: str, *args: Any, **options: Any) -> Any:
        if name == "peft":
            raise ImportError(name)
        return load(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(BenchmarkError, match="lora needs peft"):
        Lora(teachable)
