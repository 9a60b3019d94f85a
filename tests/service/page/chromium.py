"""Debian's Chromium, driven by Playwright, and a page that must not misbehave while it is shown."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

PATIENCE_MS = 20_000
"""A busy machine is no failure; nothing here measures time."""
NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser without a window; skips where none is installed."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("the page is tried in Chromium, and none is installed: apt install chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@contextmanager
def watched(browser: Browser, url: str, **options: object) -> Iterator[Page]:
    """A page of ``browser`` whose addresses are relative to ``url``.

    It fails the test if a script stumbled, if the policy stopped anything, or if it asked any other
    origin for something.
    """
    options = {"viewport": {"width": 1360, "height": 900}, "reduced_motion": "reduce"} | options
    context = browser.new_context(base_url=url, locale="en-GB", **options)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    stumbled: list[str] = []
    asked: set[str] = set()
    page.on("pageerror", lambda error: stumbled.append(str(error)))
    page.on(
        "console",
        lambda said: stumbled.append(said.text) if "Content Security Policy" in said.text else None,
    )
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    yield page
    context.close()
    assert stumbled == []
    assert asked == {urlsplit(url).netloc}
