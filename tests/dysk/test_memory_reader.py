"""The coarse guess is read unless the retrieval heads choose another slot; then theirs is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest
import torch

import dysk.reading
from dysk.attention.fine import RetrievalHeads
from dysk.candidates import Candidate
from dysk.language_model import LanguageModel
from dysk.reading import MemoryReader, Told
from dysk.stopwatch import Stopwatch
from graph import Fact
from tests.contracts.tiny_model import HEADS

IDS = [7, 8, 9, 10, 11]


def candidate(subject: str, object: str, score: float) -> Candidate:
    fact = Fact(f"{subject}/{object}", subject, "king", object)
    return Candidate(fact, f"The king of {subject} is {object}.", score)


FOUND = [
    candidate("Zembla", "Charles", 0.9),
    candidate("Zembla", "Xavier", 0.9),
    candidate("Zembla", "Otto", 0.8),
    candidate("Ruritania", "Rudolf", 0.7),
]


@contextmanager
def reader(
    model: LanguageModel, found: list[Candidate], heads: RetrievalHeads = HEADS, top_k: int = 4
) -> Iterator[MemoryReader]:
    with model.memory.lease([(c.fact.id, c.text) for c in found]) as lease:
        yield MemoryReader(model, heads, IDS, found, lease.rows[None], top_k, 3, False, Stopwatch())


def prefer(monkeypatch: pytest.MonkeyPatch, *scores: float) -> list[int]:
    """Let the heads rank the candidates so; returns how often they were asked, one item each."""
    asked: list[int] = []

    def select(*_: object) -> torch.Tensor:
        asked.append(1)
        return torch.tensor([scores])

    monkeypatch.setattr(dysk.reading, "select", select)
    return asked


def objects(told: Iterable[Told]) -> list[str]:
    return [one.fact.fact.object for one in told]


def test_a_guess_that_the_heads_share_is_kept_and_its_equals_are_read_as_well(
    tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = prefer(monkeypatch, 3, 4, 2, 1)
    with reader(tiny_model, FOUND) as of:
        assert objects(of.speak()) == ["Charles", "Xavier"]
        assert len(asked) == 1
        stages = of.watch.report()
    assert stages["select"] > 0


def test_what_the_heads_prefer_is_read_instead_and_as_if_it_had_been_read_at_once(
    tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = prefer(monkeypatch, 1, 2, 3, 4)
    with reader(tiny_model, FOUND) as of:
        (corrected,) = of.speak()
        assert corrected.fact.fact.object == "Rudolf"
        assert len(asked) == 1
    with reader(tiny_model, [FOUND[3], *FOUND[:3]], RetrievalHeads((), 1.0)) as of:
        (at_once,) = of.speak()
    assert at_once.fact == corrected.fact
    assert at_once.spoken.text == corrected.spoken.text


def test_a_single_slot_leaves_nothing_to_ask(
    tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = prefer(monkeypatch, 1, 2, 3)
    with reader(tiny_model, FOUND[:3]) as of:
        assert objects(of.speak()) == ["Charles", "Xavier"]
    assert not asked


def test_no_more_facts_are_read_than_allowed(
    tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefer(monkeypatch, 4, 3, 2, 1)
    with reader(tiny_model, FOUND, top_k=1) as of:
        assert objects(of.speak()) == ["Charles"]


def test_a_model_without_retrieval_heads_reads_the_coarse_best(tiny_model: LanguageModel) -> None:
    with reader(tiny_model, FOUND, RetrievalHeads((), 1.0)) as of:
        assert objects(of.speak()) == ["Charles", "Xavier"]


def test_an_answer_can_be_begun_again_from_the_same_facts(tiny_model: LanguageModel) -> None:
    with reader(tiny_model, FOUND[:1]) as of:
        assert of.begin_with("The king", FOUND[0]).text.startswith("The king")
