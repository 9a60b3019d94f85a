from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.app import create_app
from service.settings import Settings
from tests.service.fakes import FakeWorkspace
from tests.service.harness import Http


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[FakeWorkspace]:
    workspace = FakeWorkspace(tmp_path)
    with workspace:
        yield workspace


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


@pytest.fixture
def http(workspace: FakeWorkspace, settings: Settings) -> Iterator[Http]:
    with Http(create_app(workspace, settings)) as http:
        yield http
