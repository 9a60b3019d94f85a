"""Models that take milliseconds, for workspaces of benchmarks."""

from __future__ import annotations

import pytest

from dysk import Workspace
from dysk.attention import FactMemory
from dysk.language_model import LanguageModel
from dysk.retrieval.encoder import HashEncoder
from tests.contracts.tiny_model import HEADS


def use_small_models(patch: pytest.MonkeyPatch, model: LanguageModel) -> None:
    """Workspaces get this model with a fact memory of its own, and an encoder without weights."""
    memory = FactMemory(model.encode_blocks, layers=2, kv_heads=2, head_dim=8, budget_bytes=1 << 20)
    patch.setattr(model, "memory", memory)
    encoder = HashEncoder(256)
    patch.setattr(Workspace, "encoder", lambda *_: encoder)
    patch.setattr(Workspace, "model", lambda *_: model)
    patch.setattr(Workspace, "heads", lambda *_: HEADS)
