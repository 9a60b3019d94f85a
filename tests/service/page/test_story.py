"""The whole page over the real models: what a visitor sees in the first minutes.

The README's pictures are made here::

    DYSK_SCREENSHOTS=docs/images .venv/bin/python -m pytest tests/service/page/test_story.py
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dysk.cli.demo import EARLIER, QUESTION, UPDATE
from dysk.workspace import Workspace
from service.app import create_app
from service.settings import Settings
from tests.service.harness import on_a_port
from tests.service.page.chromium import watched

pytestmark = pytest.mark.models

MODES = ("attention", "RAG", "closed book")
MODEL_PATIENCE_MS = 120_000


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures go: a folder of the test, unless one is wanted by name."""
    folder = Path(os.environ.get("DYSK_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def url(real_models: Workspace) -> Iterator[str]:
    with on_a_port(create_app(real_models, Settings(data=real_models.path))) as url:
        http_graph = real_models.graph("story", create=True)
        assert http_graph.store.revision == 0
        yield url
    real_models.delete("story")


def take(page: Page, folder: Path, name: str) -> None:
    page.evaluate("document.activeElement.blur()")
    path = folder / f"{name}.png"
    page.screenshot(path=path, animations="disabled")
    assert path.stat().st_size > 10_000


@pytest.mark.timeout(600)
def test_load_ask_compare_look_back_change_and_look_around(
    browser: Browser, url: str, pictures: Path
) -> None:
    with watched(browser, url, viewport={"width": 1280, "height": 860}) as page:
        page.goto("/?graph=story")
        page.get_by_role("button", name="Load the example graph").click()
        expect(page.locator("#state")).to_contain_text("459 facts")

        for mode in MODES[1:]:
            page.get_by_role("checkbox", name=re.compile(f"^{mode}")).check()
        page.get_by_role("button", name=QUESTION).click()
        said = page.locator('.answer[data-mode="attention"] .said')
        expect(said).to_contain_text("Burj Khalifa", timeout=MODEL_PATIENCE_MS)
        expect(page.locator(".said")).to_have_count(3, timeout=MODEL_PATIENCE_MS)
        attended = page.locator('.answer[data-mode="attention"] .evidence li').first
        expect(attended).to_contain_text("% of the attention")
        take(page, pictures, "page-compare")

        page.get_by_role("slider", name="As of").fill(EARLIER)
        expect(said).to_contain_text("Taipei 101", timeout=MODEL_PATIENCE_MS)
        page.get_by_role("slider", name="As of").press("End")
        for mode in MODES[1:]:
            page.get_by_role("checkbox", name=re.compile(f"^{mode}")).uncheck()
        expect(said).to_contain_text("Burj Khalifa", timeout=MODEL_PATIENCE_MS)

        page.locator(".answer").get_by_role("button", name=re.compile("^Change")).first.click()
        page.locator("#update").get_by_label("Object", exact=True).fill(UPDATE[2])
        page.get_by_role("button", name="Show the plan").click()
        expect(page.locator(".ends")).to_contain_text("Burj Khalifa")
        page.get_by_role("button", name="Theme: system").click()
        page.get_by_role("button", name="Theme: light").click()
        page.locator("#plan").scroll_into_view_if_needed()
        take(page, pictures, "page-plan")
        page.get_by_role("button", name="Write it").click()
        expect(said).to_contain_text(UPDATE[2], timeout=MODEL_PATIENCE_MS)
        expect(page.locator(".before")).to_contain_text("Burj Khalifa")
        expect(page.locator("#feed li").first).to_contain_text(UPDATE[2])

        page.get_by_role("button", name="Theme: dark").click()
        page.get_by_label("Entity", exact=True).fill("United Kingdom")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.locator(".network .hop-0")).to_be_visible()
        expect(page.get_by_role("img", name=re.compile("^Timeline of United"))).to_be_visible()
        page.locator("#entity-view").screenshot(path=pictures / "page-entity.png")
