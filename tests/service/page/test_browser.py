"""The page as people use it, in Chromium, over the real service with a pretended model."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from dysk.errors import ModelUnavailable
from graph.fact import Add
from service.keys import KeyRing
from tests.service.fakes import FakeWorkspace
from tests.service.page.chromium import watched
from tests.service.page.norland import LEADS, QUESTION, settle


@pytest.fixture
def norland(workspace: FakeWorkspace) -> None:
    settle(workspace.graph())


def ask(page: Page, question: str = QUESTION) -> Locator:
    page.get_by_label("Question").fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()
    return page.locator(".said")


def plan(page: Page, subject: str, relation: str, object: str, valid_from: str) -> Locator:
    form = page.locator("#update")
    form.get_by_label("Subject", exact=True).fill(subject)
    form.get_by_label("Relation", exact=True).fill(relation)
    form.get_by_label("Object", exact=True).fill(object)
    form.get_by_label("True from", exact=True).fill(valid_from)
    form.get_by_role("button", name="Show the plan").click()
    return page.locator("#plan")


def test_an_empty_graph_says_so_and_one_click_loads_the_example(
    page: Page, workspace: FakeWorkspace
) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Nothing is known here yet")).to_be_visible()
    page.get_by_role("button", name="Load the example graph").click()
    expect(page.locator("#welcome")).to_be_hidden()
    expect(page.locator("#state")).to_contain_text("459 facts")
    assert workspace.graph().store.snapshot().relation("monarch").cardinality == "one"
    page.get_by_role("button", name="What is the tallest building in the world?").click()
    expect(page.locator(".said")).to_be_visible()


@pytest.mark.usefixtures("norland")
class TestAsking:
    def test_an_answer_shows_its_evidence_with_attention_time_and_source(self, page: Page) -> None:
        page.goto("/")
        expect(ask(page)).to_have_text("Ben Marsh")
        card = page.locator(".answer")
        expect(card.locator(".badges")).to_contain_text("answered")
        expect(card.locator(".badges")).to_contain_text("says what its facts say")
        evidence = card.get_by_role("list", name="Evidence").get_by_role("listitem")
        first = evidence.filter(has_text="Ben Marsh")
        expect(first).to_contain_text("2016-05 – now")
        expect(first).to_contain_text("gazette")
        expect(first.locator("rect.bar")).to_have_attribute("width", "50")
        expect(first).to_contain_text("50 % of the attention")

    def test_a_source_is_a_link_only_where_it_is_an_address(self, page: Page) -> None:
        page.goto("/?as_of=2010&q=Who+leads+Norland%3F")
        expect(page.locator(".said")).to_have_text("Ada Quill")
        link = page.get_by_role("link", name="gazette.example")
        expect(link).to_have_attribute("href", "https://gazette.example/quill")
        expect(link).to_have_attribute("rel", re.compile("noreferrer"))
        page.goto("/?q=Who+leads+Norland%3F")
        expect(page.locator(".said")).to_have_text("Ben Marsh")
        assert page.locator("a.source").count() == 0

    def test_an_answer_comes_word_by_word_as_events(self, page: Page) -> None:
        page.goto("/")
        # The whole answer takes the place of its words, so they are caught as they come.
        page.evaluate(
            """new MutationObserver((changes) => {
              for (const { addedNodes } of changes) for (const node of addedNodes) {
                if (node.className === "saying") window.pieces = [];
                else if (node.nodeType === Node.TEXT_NODE) window.pieces?.push(node.data);
              }
            }).observe(document.getElementById("answers"), { subtree: true, childList: true })"""
        )
        with page.expect_response("**/ask") as asked:
            expect(ask(page)).to_have_text("Ben Marsh")
        assert asked.value.headers["content-type"].startswith("text/event-stream")
        assert page.evaluate("window.pieces") == ["Ben", " Marsh"]

    def test_modes_answer_side_by_side(self, page: Page) -> None:
        page.goto("/")
        for mode in ("RAG", "closed book"):
            page.get_by_role("checkbox", name=re.compile(f"^{mode}")).check()
        ask(page)
        cards = page.locator(".answer")
        expect(cards).to_have_count(3)
        expect(page.locator(".said")).to_have_count(3)
        expect(cards.get_by_role("heading")).to_contain_text(["attention", "RAG", "closed book"])
        boxes = [cards.nth(n).bounding_box() for n in range(3)]
        assert len({box["y"] for box in boxes if box}) == 1, "they stand in one row"

    def test_the_slider_moves_the_question_through_time(self, page: Page) -> None:
        page.goto("/")
        expect(ask(page)).to_have_text("Ben Marsh")
        slider = page.get_by_role("slider", name="As of")
        expect(slider).to_have_attribute("aria-valuetext", "now")
        slider.fill("2010")
        expect(slider).to_have_attribute("aria-valuetext", "2010")
        expect(page.locator(".said")).to_have_text("Ada Quill")
        assert "as_of=2010" in page.url
        slider.press("End")
        expect(page.locator(".said")).to_have_text("Ben Marsh")
        assert "as_of" not in page.url

    def test_what_is_typed_is_kept_and_asked_when_the_slider_moves(self, page: Page) -> None:
        page.goto("/?q=Where+is+Sudland%3F")
        expect(page.locator(".said")).to_have_text("Port Sud")
        page.get_by_label("Question").fill(QUESTION)
        page.get_by_role("slider", name="As of").fill("2010")
        expect(page.locator(".said")).to_have_text("Ada Quill")
        expect(page.get_by_label("Question")).to_have_value(QUESTION)

    def test_an_exact_date_can_be_written_and_a_wrong_one_is_explained(self, page: Page) -> None:
        page.goto("/")
        ask(page)
        date = page.get_by_label("Exact date")
        date.fill("2016-04-30")
        date.press("Enter")
        expect(page.locator(".said")).to_have_text("Ada Quill")
        date.fill("yesterday")
        date.press("Enter")
        problem = page.get_by_role("alert").first
        expect(problem).to_contain_text("The date or interval cannot be used")
        expect(problem).to_contain_text("2021-05-03")

    def test_not_knowing_is_an_answer(self, page: Page) -> None:
        page.goto("/")
        expect(ask(page, "Who leads Atlantis?")).to_have_text("I do not know.")
        expect(page.locator(".badges")).to_contain_text("does not know")
        expect(page.locator(".answer")).to_contain_text("No fact was near enough")

    def test_the_address_holds_what_is_shown_and_back_goes_back(self, page: Page) -> None:
        page.goto("/?q=Who+leads+Norland%3F&as_of=2010&modes=rag,hybrid&entity=Sudland")
        expect(page.get_by_label("Question")).to_have_value(QUESTION)
        expect(page.get_by_role("slider", name="As of")).to_have_value("2010")
        expect(page.locator(".said")).to_have_text(["Ada Quill", "Ada Quill"])
        expect(page.locator("#entity-view h3")).to_have_text("Sudland")
        ask(page, "Where is Sudland?")
        expect(page.locator(".said").first).to_have_text("Port Sud")
        page.go_back()
        expect(page.locator(".said").first).to_have_text("Ada Quill")

    def test_a_model_that_is_missing_is_a_problem_with_a_way_out(
        self, page: Page, workspace: FakeWorkspace
    ) -> None:
        page.goto("/")
        workspace.graph().failure = ModelUnavailable("the language model is not installed: run it")
        ask(page)
        problem = page.get_by_role("alert")
        expect(problem).to_contain_text("the language model is not installed")
        expect(problem).to_contain_text("dysk doctor")
        workspace.graph().failure = None
        problem.get_by_role("button", name="Try again").click()
        expect(page.locator(".said")).to_have_text("Ben Marsh")


@pytest.mark.usefixtures("norland")
class TestChanging:
    def test_a_plan_writes_nothing_and_writing_it_changes_the_answer(
        self, page: Page, workspace: FakeWorkspace
    ) -> None:
        page.goto("/")
        expect(ask(page)).to_have_text("Ben Marsh")
        revision = workspace.graph().store.revision
        shown = plan(page, "Norland", LEADS, "Cleo Vane", "2025")
        expect(shown.locator(".adds")).to_contain_text("Cleo Vane")
        expect(shown.locator(".ends")).to_contain_text("Ben Marsh")
        expect(shown.locator(".ends")).to_contain_text("2016-05 – 2025")
        assert workspace.graph().store.revision == revision
        shown.get_by_role("button", name="Write it").click()
        expect(page.locator(".said")).to_have_text("Cleo Vane")
        expect(page.locator(".before del")).to_have_text("Ben Marsh")
        expect(shown).to_contain_text(f"revision {revision + 1}")

    def test_a_plan_that_was_overtaken_is_refused_and_made_anew(
        self, page: Page, workspace: FakeWorkspace
    ) -> None:
        page.goto("/")
        shown = plan(page, "Norland", LEADS, "Cleo Vane", "2025")
        expect(shown.locator(".ends")).to_contain_text("Ben Marsh")
        workspace.graph().apply([Add("Norland", LEADS, "Dan Holt", "2024")])
        shown.get_by_role("button", name="Write it").click()
        expect(shown.get_by_role("alert")).to_contain_text("has changed")
        shown.get_by_role("button", name="Try again").click()
        expect(shown.locator(".ends")).to_contain_text("Dan Holt")
        shown.get_by_role("button", name="Write it").click()
        expect(shown).to_contain_text("Written")

    def test_evidence_is_taken_into_the_form_to_be_succeeded(self, page: Page) -> None:
        page.goto("/")
        ask(page)
        evidence = page.get_by_role("list", name="Evidence").get_by_role("listitem").first
        evidence.get_by_role("button", name="Change").click()
        form = page.locator("#update")
        expect(form.get_by_label("Subject", exact=True)).to_have_value("Norland")
        expect(form.get_by_label("Object", exact=True)).to_be_focused()

    def test_a_fact_that_cannot_be_stored_points_at_its_mistake(self, page: Page) -> None:
        page.goto("/")
        shown = plan(page, "Norland", LEADS, "Cleo Vane", "someday")
        expect(shown.get_by_role("alert")).to_contain_text("'someday' is not an ISO 8601 date")
        marked = page.locator('[aria-invalid="true"]')
        expect(marked).to_have_count(1)
        expect(marked).to_have_attribute("name", "valid_from")
        page.locator("#update").get_by_label("True from", exact=True).fill("2025")
        expect(marked).to_have_count(0)

    def test_what_is_stored_already_is_said_to_be(self, page: Page) -> None:
        page.goto("/")
        page.locator("#update").get_by_label("Source").fill("gazette")
        shown = plan(page, "Norland", LEADS, "Ben Marsh", "2016-05")
        expect(shown).to_contain_text("This is stored already")

    def test_what_a_fact_says_is_text_and_never_acts(
        self, page: Page, workspace: FakeWorkspace
    ) -> None:
        trick = "<img src=x onerror=document.title='acted'><b>Eve</b>"
        workspace.graph().apply([Add("Eastland", LEADS, trick, source="javascript:alert(1)")])
        page.goto("/?entity=Eastland")
        expect(ask(page, "Who leads Eastland?")).to_have_text(trick)
        expect(page.locator("#entity-view h3")).to_have_text("Eastland")
        expect(page.locator("#feed")).to_contain_text(trick)
        expect(page.locator(".answer a")).to_have_count(0)
        expect(page).to_have_title("dysk")


@pytest.mark.usefixtures("norland")
class TestFollowing:
    def test_changes_of_others_appear_and_answers_say_that_they_are_old(
        self, page: Page, workspace: FakeWorkspace
    ) -> None:
        page.goto("/")
        expect(page.locator("#feed li").first).to_contain_text("Norland")
        expect(ask(page)).to_have_text("Ben Marsh")
        workspace.graph().apply([Add("Norland", LEADS, "Cleo Vane", "2025")])
        newest = page.locator("#feed li").first
        expect(newest).to_contain_text("Cleo Vane")
        expect(newest).to_contain_text("supersede")
        expect(page.locator("#state")).to_contain_text("5 facts")
        page.get_by_role("button", name="Ask again").click()
        expect(page.locator(".said")).to_have_text("Cleo Vane")
        expect(page.locator("#stale")).to_be_empty()

    def test_what_came_while_it_was_paused_is_made_up_for(
        self, page: Page, workspace: FakeWorkspace
    ) -> None:
        page.goto("/")
        expect(page.locator("#feed li").first).to_contain_text("Norland")
        pause = page.get_by_role("button", name="Pause")
        pause.click()
        expect(pause).to_have_attribute("aria-pressed", "true")
        for n in range(30):
            workspace.graph().apply([Add("Norland", "minister", f"Minister {n}")])
        expect(page.locator("#feed")).not_to_contain_text("Minister")
        pause.click()
        expect(page.locator("#feed li").first).to_contain_text("Minister 29")
        entries = page.locator("#feed li")
        for n in range(30):
            expect(entries.filter(has_text=re.compile(rf"Minister {n}\b"))).to_have_count(1)

    def test_another_graph_is_another_world(self, page: Page, workspace: FakeWorkspace) -> None:
        workspace.graph("elsewhere", create=True).apply([Add("Westland", LEADS, "Ewan Price")])
        page.goto("/?q=Who+leads+Norland%3F")
        expect(page.locator(".said")).to_have_text("Ben Marsh")
        page.get_by_role("combobox", name="Graph", exact=True).select_option("elsewhere")
        expect(page.locator(".said")).to_have_text("I do not know.")
        expect(page.locator("#feed")).to_contain_text("Westland")
        expect(page.locator("#feed")).not_to_contain_text("Norland")
        assert "graph=elsewhere" in page.url

    def test_a_graph_that_is_not_there_is_a_problem_with_its_reason(self, page: Page) -> None:
        page.goto("/?graph=nowhere")
        expect(page.get_by_role("alert").first).to_contain_text("nowhere")


@pytest.mark.usefixtures("norland")
class TestLookingAround:
    def test_an_entity_has_a_timeline_and_the_same_as_a_table(self, page: Page) -> None:
        page.goto("/?as_of=2010")
        page.get_by_label("Entity", exact=True).fill("Norland")
        page.get_by_role("button", name="Show", exact=True).click()
        timeline = page.get_by_role("img", name=re.compile("^Timeline of Norland: 3 facts"))
        expect(timeline.locator(".row")).to_have_count(3)
        expect(timeline.locator(".row.holds")).to_contain_text(["borders", "Ada Quill"])
        page.get_by_text("All 3 as a table").click()
        row = page.get_by_role("row").filter(has_text="Ada Quill")
        expect(row).to_contain_text("2004 – 2016-05")

    def test_the_graph_is_drawn_as_of_the_time_and_walked_by_mouse(self, page: Page) -> None:
        page.goto("/?entity=Norland&as_of=2010")
        nodes = page.locator(".network .node")
        expect(nodes).to_have_count(4)
        expect(page.locator(".network")).to_contain_text("Ada Quill")
        expect(page.locator(".network text").filter(has_text="Ben Marsh")).to_have_count(0)
        page.get_by_role("button", name=re.compile("^Sudland:")).click()
        expect(page.locator("#entity-view h3")).to_have_text("Sudland")
        assert "entity=Sudland" in page.url

    def test_what_was_left_out_is_drawn_by_wish(self, page: Page, workspace: FakeWorkspace) -> None:
        workspace.graph().apply([Add("Norland", "town", f"Town {n}") for n in range(70)])
        page.goto("/?entity=Norland")
        nodes = page.locator(".network .node")
        expect(nodes).to_have_count(60)
        page.get_by_role("button", name="Draw more.").click()
        expect(nodes).to_have_count(74)
        expect(page.get_by_role("button", name="Draw more.")).to_have_count(0)

    def test_a_name_that_is_not_known_says_what_to_do(self, page: Page) -> None:
        page.goto("/?entity=Atlantis")
        alert = page.locator("#entity-view").get_by_role("alert")
        expect(alert).to_contain_text("no fact names 'Atlantis'")

    def test_names_are_suggested_while_one_types(self, page: Page) -> None:
        page.goto("/")
        page.get_by_label("Entity", exact=True).press_sequentially("norland")
        expect(page.locator("#entities option").first).to_have_attribute("value", "Norland")


def test_a_service_with_keys_asks_for_one_and_takes_it(
    page: Page, workspace: FakeWorkspace
) -> None:
    settle(workspace.graph())
    _, token = KeyRing(workspace.path).create("reader", "read")
    page.goto("/?q=Who+leads+Norland%3F")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("key")
    alert.get_by_role("button", name="Enter a key").click()
    page.get_by_label("Key", exact=True).fill(token)
    page.get_by_role("button", name="Use it").click()
    expect(page.locator(".said")).to_have_text("Ben Marsh")
    expect(page.locator("#feed li").first).to_contain_text("Norland")
    assert token not in page.url
    shown = plan(page, "Norland", LEADS, "Cleo Vane", "2025")
    expect(shown.get_by_role("alert")).to_contain_text("write")


def test_the_service_tells_how_it_is(page: Page, workspace: FakeWorkspace) -> None:
    workspace.parts["model"] = "loading"
    page.goto("/")
    page.get_by_text("The service", exact=True).click()
    figures = page.locator("#figures div")
    expect(figures.filter(has_text="model")).to_contain_text("loading")
    expect(figures.filter(has_text="asks that wait")).to_have_text("asks that wait0")
    expect(figures.filter(has_text="memory")).to_have_text(re.compile(r"memory\d+ MiB"))


def test_a_service_that_is_gone_is_said_to_be(
    browser: Browser, url: str, workspace: FakeWorkspace
) -> None:
    settle(workspace.graph())
    with watched(browser, url) as page:
        page.goto("/")
        expect(ask(page)).to_have_text("Ben Marsh")
        page.context.set_offline(True)
        ask(page)
        expect(page.get_by_role("alert")).to_contain_text("The service does not answer")
        page.context.set_offline(False)
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".said")).to_have_text("Ben Marsh")
