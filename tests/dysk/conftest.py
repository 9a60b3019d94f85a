from __future__ import annotations

from collections.abc import Iterator

import pytest

from dysk.language_model import LanguageModel
from tests.contracts.tiny_model import save_tiny_model
from tests.dysk.engines import World


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A random model of a few kilobytes, with its fact memory."""
    return LanguageModel(save_tiny_model(tmp_path_factory.mktemp("tiny")), memory_bytes=4 << 20)


@pytest.fixture
def world(tiny_model: LanguageModel) -> Iterator[World]:
    with World(tiny_model) as world:
        yield world
