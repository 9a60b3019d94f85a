"""Erased is gone: what the engine keeps of a fact goes with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dysk.answer import Mode
from dysk.attention.memory import Lease
from dysk.language_model import LanguageModel
from tests.dysk.engines import KING, QUESTION, READING, World, objects


def blocks(model: LanguageModel) -> int:
    return model.memory.stats.blocks


def test_promise_7_an_erased_fact_has_no_block_and_its_question_abstains(
    world: World, tiny_model: LanguageModel
) -> None:
    fact_id = world.add("Zembla", KING, "Charles", aliases=("Land of Mirrors",))
    assert objects(world.ask(QUESTION)) == ["Charles"]
    before = blocks(tiny_model)
    world.erase(fact_id)
    assert blocks(tiny_model) == before - 1
    assert len(world.syncer.index) == 0
    assert world.syncer.mentions.find("Is Zembla the Land of Mirrors?") == []
    for mode in READING:
        answer = world.ask(QUESTION, mode=mode, min_revision=3)
        assert (answer.status, answer.evidence) == ("abstained", ())


def test_promise_7_every_wording_that_a_fact_ever_had_is_forgotten(
    world: World, tiny_model: LanguageModel
) -> None:
    before = blocks(tiny_model)
    fact_id = world.add("Zembla", KING, "Odon")
    world.ask(QUESTION)
    world.correct(fact_id, object="Charles")
    world.ask(QUESTION)
    assert blocks(tiny_model) == before + 2
    world.erase(fact_id)
    assert blocks(tiny_model) == before


@pytest.mark.parametrize("mode", ["attention", "hybrid"])
def test_promise_7_a_fact_erased_while_it_is_asked_about_leaves_no_block(
    world: World, tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    """Found, then erased, then its block is made: the order that no lock prevents."""
    before = blocks(tiny_model)
    fact_id = world.add("Zembla", KING, "Charles")
    lease: Callable[[Any], Lease] = tiny_model.memory.lease

    def erase_first(facts: Any) -> Lease:
        world.erase(fact_id)
        return lease(facts)

    monkeypatch.setattr(tiny_model.memory, "lease", erase_first)
    assert objects(world.ask(QUESTION, mode=mode)) == ["Charles"]
    assert blocks(tiny_model) == before


def test_promise_7_erasing_in_one_graph_leaves_the_blocks_of_another(
    world: World, tiny_model: LanguageModel
) -> None:
    with World(tiny_model, graph="other") as other:
        assert world.add("Zembla", KING, "Charles") == other.add("Borduria", "anthem", "Amaih")
        world.ask(QUESTION)
        other.ask("What is the anthem of Borduria?")
        before = tiny_model.memory.stats
        world.erase("f1")
        other.ask("What is the anthem of Borduria?")
        after = tiny_model.memory.stats
        assert (after.blocks, after.misses) == (before.blocks - 1, before.misses)
