from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dysk import Dysk, Workspace
from dysk.attention import FactMemory
from dysk.language_model import LanguageModel
from dysk.retrieval.encoder import HashEncoder
from tests.contracts.tiny_model import HEADS, save_tiny_model
from tests.dysk.engines import World


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A random model of a few kilobytes, with its fact memory."""
    return LanguageModel(save_tiny_model(tmp_path_factory.mktemp("tiny")), memory_bytes=4 << 20)


@pytest.fixture
def world(tiny_model: LanguageModel) -> Iterator[World]:
    with World(tiny_model) as world:
        yield world


@pytest.fixture
def small_models(tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workspaces get models of a few kilobytes, and a fact memory of their own."""
    encoder = HashEncoder(256)
    memory = FactMemory(
        tiny_model.encode_blocks, layers=2, kv_heads=2, head_dim=8, budget_bytes=1 << 20
    )
    monkeypatch.setattr(tiny_model, "memory", memory)
    monkeypatch.setattr(Workspace, "encoder", lambda *_: encoder)
    monkeypatch.setattr(Workspace, "model", lambda *_: tiny_model)
    monkeypatch.setattr(Workspace, "heads", lambda *_: HEADS)


@pytest.fixture
def d(tmp_path: Path, small_models: None) -> Iterator[Dysk]:
    with Dysk.open(tmp_path / "world.dysk") as opened:
        yield opened
