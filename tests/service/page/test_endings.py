"""Ending, retracting and erasing a fact on the page, in Chromium."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from graph.fact import Add
from graph.store import Receipt
from service.keys import KeyRing
from tests.service.fakes import FakeWorkspace
from tests.service.page.chromium import watched
from tests.service.page.norland import settle
from tests.service.page.test_accessibility import violations
from tests.service.page.test_browser import ask

OF_MARSH = "Norland, head of government, Ben Marsh"


@pytest.fixture(autouse=True)
def norland(workspace: FakeWorkspace) -> Receipt:
    return settle(workspace.graph())


def wish(page: Page, way: str) -> Locator:
    """Choose what shall become of the fact that answered; the dialog that asks once more."""
    page.goto("/")
    expect(ask(page)).to_have_text("Ben Marsh")
    page.locator(".evidence").get_by_role("button", name=f"{way}: {OF_MARSH}").click()
    return page.get_by_role("dialog", name=f"{way} this fact")


def fact(workspace: FakeWorkspace, object: str) -> list[tuple[str, str | None]]:
    snapshot = workspace.graph().store.snapshot()
    found = [each for each in snapshot.facts(subject="Norland") if each.object == object]
    return [(each.status, each.valid_to) for each in found]


def test_a_fact_is_ended_on_the_day_that_one_writes(page: Page, workspace: FakeWorkspace) -> None:
    dialog = wish(page, "End")
    expect(dialog).to_contain_text("Ben Marsh")
    expect(dialog).to_contain_text("2016-05 – now")
    day = dialog.get_by_label("Not true from")
    expect(day).to_have_value(re.compile(r"^\d{4}-\d\d-\d\d$"))
    day.fill("2021")
    dialog.get_by_role("button", name="End", exact=True).click()
    expect(page.locator(".said")).not_to_have_text("Ben Marsh")
    expect(page.locator("#feed li").first).to_contain_text("end")
    assert [until for _, until in fact(workspace, "Ben Marsh")] == ["2021"]


def test_a_day_that_cannot_be_is_explained_and_can_be_mended(page: Page) -> None:
    dialog = wish(page, "End")
    dialog.get_by_label("Not true from").fill("yesterday")
    dialog.get_by_role("button", name="End", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("2021-05-03")
    dialog.get_by_label("Not true from").fill("2021-05-03")
    dialog.get_by_role("button", name="End", exact=True).click()
    expect(dialog).to_be_hidden()


def test_a_retracted_fact_is_asked_about_no_more_but_its_past_is_kept(
    page: Page, workspace: FakeWorkspace
) -> None:
    before = workspace.graph().store.revision
    wish(page, "Retract").get_by_role("button", name="Retract", exact=True).click()
    expect(page.locator(".said")).not_to_have_text("Ben Marsh")
    earlier = workspace.graph().store.snapshot(revision=before)
    assert "Ben Marsh" in {each.object for each in earlier.facts(subject="Norland")}


def test_an_erasure_has_to_be_spelt_and_leaves_nothing_on_the_page(
    page: Page, workspace: FakeWorkspace
) -> None:
    dialog = wish(page, "Erase")
    erase = dialog.get_by_role("button", name="Erase", exact=True)
    erase.click()
    expect(dialog).to_be_visible()
    dialog.get_by_label("to confirm").fill("yes")
    erase.click()
    expect(dialog).to_be_visible()
    assert fact(workspace, "Ben Marsh") != []
    dialog.get_by_label("to confirm").fill("erase")
    erase.click()
    expect(page.locator(".said")).not_to_have_text("Ben Marsh")
    expect(page.locator("#feed")).to_contain_text("erase")
    expect(page.locator("#feed")).not_to_contain_text("Ben Marsh")
    assert "Ben Marsh" not in page.content()
    assert fact(workspace, "Ben Marsh") == []


def test_leaving_it_changes_nothing(page: Page, workspace: FakeWorkspace) -> None:
    before = workspace.graph().store.revision
    dialog = wish(page, "Retract")
    dialog.get_by_role("button", name="Leave it").click()
    expect(dialog).to_be_hidden()
    wish(page, "Erase")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert workspace.graph().store.revision == before


def test_a_fact_that_changed_meanwhile_is_shown_anew(page: Page, workspace: FakeWorkspace) -> None:
    dialog = wish(page, "Retract")
    workspace.graph().apply([Add("Norland", "head of government", "Cleo Vane", "2025")])
    dialog.get_by_role("button", name="Retract", exact=True).click()
    dialog.get_by_role("alert").get_by_role("button", name="Try again").click()
    expect(dialog).to_contain_text("2016-05 – 2025")
    dialog.get_by_role("button", name="Retract", exact=True).click()
    expect(dialog).to_be_hidden()


def test_the_table_of_a_timeline_offers_the_same(page: Page, workspace: FakeWorkspace) -> None:
    page.goto("/?entity=Norland")
    page.get_by_text("All 3 as a table").click()
    page.get_by_role("row").filter(has_text="Ada Quill").get_by_role(
        "button", name=re.compile("^Retract")
    ).click()
    page.get_by_role("dialog").get_by_role("button", name="Retract", exact=True).click()
    expect(page.locator("#entity-view")).not_to_contain_text("Ada Quill")


def test_a_key_that_may_only_read_is_told_so(
    browser: Browser, url: str, workspace: FakeWorkspace
) -> None:
    _, token = KeyRing(workspace.path).create("reader", "read")
    with watched(browser, url) as page:
        page.goto("/")
        page.get_by_role("button", name="Key").first.click()
        page.get_by_label("Key", exact=True).fill(token)
        page.get_by_role("button", name="Use it").click()
        dialog = wish(page, "Erase")
        dialog.get_by_label("to confirm").fill("erase")
        dialog.get_by_role("button", name="Erase", exact=True).click()
        expect(dialog.get_by_role("alert")).to_contain_text("scope write")
    assert fact(workspace, "Ben Marsh") != []


def test_axe_finds_nothing_wrong_with_the_dialog(page: Page) -> None:
    expect(wish(page, "Erase")).to_be_visible()
    assert violations(page) == []
