"""Property tests here have no deadline: a machine under load is slow, and that is no defect."""

from __future__ import annotations

import pytest
from hypothesis import settings

from dysk.language_model import LanguageModel
from tests.contracts.tiny_model import save_tiny_model

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A random model of a few kilobytes, with room for the demonstrations of a prompt."""
    folder = save_tiny_model(tmp_path_factory.mktemp("small"), positions=4096)
    return LanguageModel(folder, memory_bytes=4 << 20)
