"""The page as it is sent: complete, the same under the same tag, alone."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import service
from tests.service.harness import Http, problem

FOLDER = Path(service.__file__).parent / "page"
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.suffix != ".py")
MODULES = [name for name in NAMES if name.endswith(".js")]
LONGEST = 200
"""Lines of a file of the page: each holds one idea."""


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def tags(http: Http) -> list[tuple[str, dict[str, str | None]]]:
    response = http.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    parser = Tags()
    parser.feed(response.text)
    return parser.found


def test_everything_that_the_page_names_is_served(http: Http, tags: list[tuple[str, dict]]) -> None:
    named = {
        attributes[name]
        for tag, attributes in tags
        for name in ("src", "href")
        if attributes.get(name) and not str(attributes[name]).startswith("#")
    }
    assert {"/page/app.js", "/page/base.css", "/openapi.json"} <= named
    for path in sorted(named):
        assert http.get(str(path)).status_code == 200, path


def test_nothing_in_the_page_is_inline(tags: list[tuple[str, dict]]) -> None:
    for tag, attributes in tags:
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        assert tag != "style"
        assert tag != "script" or "src" in attributes


def test_every_label_and_reference_in_the_page_leads_to_an_element(
    tags: list[tuple[str, dict]],
) -> None:
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in tags:
        for name in ("for", "aria-labelledby", "aria-describedby", "list"):
            assert attributes.get(name, ids[0]) in ids


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_what_others_export(name: str) -> None:
    source = (FOLDER / name).read_text()
    imports = re.findall(r'import \{([^}]+)\} from "\./([\w.]+)";', source)
    assert len(imports) == len(re.findall(r"^import|^\} from", source, re.MULTILINE))
    for names, other in imports:
        exported = set(
            re.findall(
                r"^export (?:async )?(?:function\*?|class|const) (\w+)",
                (FOLDER / other).read_text(),
                re.MULTILINE,
            )
        )
        assert {each.strip() for each in names.split(",")} <= exported


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_used_and_makes_no_html_from_text(name: str) -> None:
    source = (FOLDER / name).read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", source)
    assert name == "app.js" or any(
        f'from "./{name}"' in (FOLDER / other).read_text() for other in MODULES
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_short_and_sent_as_it_is(http: Http, name: str) -> None:
    response = http.get(f"/page/{name}")
    assert response.status_code == 200
    assert response.content == (FOLDER / name).read_bytes()
    assert len(response.text.splitlines()) <= LONGEST


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/page/base.css", "/page/example.jsonl"])
def test_the_policy_lets_in_nothing_but_files_of_the_service(http: Http, path: str) -> None:
    headers = http.get(path).headers
    (policy,) = headers.get_list("content-security-policy")
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_a_browser_that_has_a_file_is_told_that_it_still_stands(http: Http) -> None:
    tag = http.get("/page/app.js").headers["etag"]
    again = http.get("/page/app.js", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert http.get("/page/app.js", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "name", ["nothing.js", "..%2fapp.py", "%2e%2e%2fsettings.py", "app.js%00", "__init__.py"]
)
def test_a_name_that_is_no_file_of_the_page_is_not_found(http: Http, name: str) -> None:
    problem(http.get(f"/page/{name}"), 404, "not_found")


def test_the_example_graph_comes_as_it_is_in_the_source_tree(http: Http) -> None:
    world = Path(__file__).parents[3] / "examples" / "world.jsonl"
    response = http.get("/page/example.jsonl")
    assert response.content.splitlines() == world.read_bytes().splitlines()
