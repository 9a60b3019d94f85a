from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from benchmarks.rivals.protocol import Models
from benchmarks.rivals.teaching import TeachableModel
from dysk.attention import FactMemory
from dysk.language_model import LanguageModel
from dysk.retrieval.encoder import HashEncoder
from dysk.retrieval.time import interpret
from dysk.retrieval.verbalize import verbalize
from dysk.speaking import Speaker
from graph.fact import Relation
from tests.contracts.tiny_model import HEADS


@pytest.fixture
def models(small_model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Models]:
    memory = FactMemory(
        small_model.encode_blocks, layers=2, kv_heads=2, head_dim=8, budget_bytes=1 << 20
    )
    monkeypatch.setattr(small_model, "memory", memory)
    yield Models(
        language=small_model,
        encoder=HashEncoder(256),
        speaker=Speaker(small_model, HEADS, str),
        read_time=lambda question: interpret(question, datetime(2026, 11, 24, tzinfo=UTC), []),
        wording=lambda fact: verbalize(fact, Relation(fact.relation)),
        names=lambda entity: (entity,),
    )


@pytest.fixture
def teachable(small_model: LanguageModel) -> TeachableModel:
    return TeachableModel.copy_of(small_model)


@pytest.fixture(scope="session")
def untaught(small_model: LanguageModel) -> TeachableModel:
    """For tests that teach it nothing."""
    return TeachableModel.copy_of(small_model)
