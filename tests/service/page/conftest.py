from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from service.app import create_app
from service.settings import Settings
from tests.service.fakes import FakeWorkspace
from tests.service.harness import on_a_port
from tests.service.page.chromium import launched, watched


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def url(workspace: FakeWorkspace, settings: Settings) -> Iterator[str]:
    with on_a_port(create_app(workspace, settings)) as url:
        yield url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with watched(browser, url) as page:
        yield page
