"""The page for those who use a keyboard, a screen reader, a phone, or prefer the dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.service.fakes import FakeWorkspace
from tests.service.page.chromium import watched
from tests.service.page.norland import settle

EVERYTHING = "/?q=Who+leads+Norland%3F&modes=attention,rag&entity=Norland"
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"


@pytest.fixture(autouse=True)
def norland(workspace: FakeWorkspace) -> None:
    settle(workspace.graph())


def show_everything(page: Page) -> None:
    page.goto(EVERYTHING)
    expect(page.locator(".said")).to_have_count(2)
    expect(page.locator(".network")).to_be_visible()
    for summary in page.locator("summary").all():
        summary.click()


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong by WCAG 2.2 AA and good practice, with the elements concerned."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run()")
    assert found["passes"]
    return [
        f"{each['id']}: {each['help']}: {[node['target'] for node in each['nodes']]}"
        for each in found["violations"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(browser: Browser, url: str, scheme: str) -> None:
    with watched(browser, url, color_scheme=scheme) as page:
        show_everything(page)
        assert violations(page) == []
        page.get_by_role("button", name="Change", exact=False).first.click()
        page.get_by_label("Object", exact=True).fill("Cleo Vane")
        page.get_by_role("button", name="Show the plan").click()
        expect(page.locator(".ends")).to_be_visible()
        assert violations(page) == []
        page.get_by_label("Exact date").fill("someday")
        page.get_by_label("Exact date").press("Enter")
        expect(page.get_by_role("alert").first).to_be_visible()
        assert violations(page) == []


def test_axe_finds_nothing_wrong_with_an_empty_graph(page: Page, workspace: FakeWorkspace) -> None:
    workspace.graph("empty", create=True)
    page.goto("/?graph=empty")
    expect(page.locator("#welcome")).to_be_visible()
    assert violations(page) == []


def test_dark_and_light_follow_the_system_until_one_is_chosen(browser: Browser, url: str) -> None:
    def paper(page: Page) -> int:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour.removeprefix("rgb(").rstrip(")").split(","))

    with watched(browser, url, color_scheme="dark") as page:
        page.goto("/")
        toggle = page.get_by_role("button", name="Theme: system")
        assert paper(page) < 200
        toggle.click()
        expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
        assert paper(page) > 600
        page.reload()
        expect(page.get_by_role("button", name="Theme: light")).to_be_visible()
        assert paper(page) > 600


def test_the_keyboard_alone_asks_and_reaches_everything_in_reading_order(page: Page) -> None:
    page.goto("/")
    expect(page.locator("#state")).to_contain_text("facts")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the question")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Question")).to_be_focused()
    page.keyboard.type("Who leads Norland?")
    page.keyboard.press("Enter")
    expect(page.locator(".said")).to_have_text("Ben Marsh")
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.name"))
    wanted = ["when", "when-date", "subject", "relation", "object", "valid_from", "entity"]
    assert [each for each in reached if each in wanted] == wanted


def test_what_happens_is_told_to_those_who_do_not_see_it(page: Page) -> None:
    page.goto("/?q=Who+leads+Norland%3F&modes=attention,rag")
    said = page.get_by_role("status").filter(has_text="attention: Ben Marsh. RAG: Ben Marsh")
    expect(said).to_have_count(1)
    expect(page.get_by_role("log", name="Changes of the graph")).to_contain_text("Norland")
    expect(page.locator("#state")).to_have_role("status")


def test_arrow_keys_walk_the_graph_and_enter_opens(page: Page) -> None:
    page.goto("/?entity=Norland")
    middle = page.locator(".network .hop-0")
    middle.focus()
    start = middle.bounding_box()
    assert start is not None
    moves = {"ArrowRight": ("x", 1), "ArrowLeft": ("x", -1), "ArrowDown": ("y", 1)}
    for key, (axis, sign) in moves.items():
        middle.focus()
        page.keyboard.press(key)
        focused = page.locator(".network .node:focus")
        if focused.get_attribute("data-name") == "Norland":
            continue  # nothing lies that way
        there = focused.bounding_box()
        assert there is not None
        assert (there[axis] - start[axis]) * sign > 0  # type: ignore[literal-required]
        assert page.locator('.network .node[tabindex="0"]').count() == 1
    neighbour = page.locator('.network .node[data-name="Sudland"]')
    neighbour.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#entity-view h3")).to_have_text("Sudland")
    expect(page.locator("#entity-view h3")).to_be_focused()


@pytest.mark.parametrize("width", [320, 768])
def test_on_a_small_screen_nothing_is_cut_off(browser: Browser, url: str, width: int) -> None:
    with watched(browser, url, viewport={"width": width, "height": 700}) as page:
        show_everything(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
