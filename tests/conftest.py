"""Surroundings of every test: no test waits for a model hub that it should not need, Ctrl-C reaches
the programs that tests start, and tests that need the real models share one pair of them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dysk.workspace import Workspace

os.environ.setdefault("HF_HUB_OFFLINE", "1")

# A shell has programs in its background ignore Ctrl-C, and theirs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with the default models loaded; skips where they are not installed."""
    from dysk.errors import ModelUnavailable
    from dysk.workspace import Workspace

    with Workspace(tmp_path_factory.mktemp("real")) as workspace:
        try:
            workspace.warm()
        except ModelUnavailable as error:
            pytest.skip(f"the default models are not installed (run make): {error}")
        yield workspace
