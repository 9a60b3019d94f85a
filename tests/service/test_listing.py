"""Facts over REST: history, filters, pages."""

from __future__ import annotations

from typing import Any

import pytest

from service.replies import FactPage, History
from tests.service.facts import FACTS, add, add_one, fact
from tests.service.harness import Http, problem


def test_history_has_every_version_oldest_first(http: Http) -> None:
    added = add_one(http, valid_from="2020")
    path = f"{FACTS}/{added['id']}"
    http.request("PATCH", path, json={"object": "Ben Reed"})
    http.post(f"{path}/end", {"at": "2024"})
    response = http.get(f"{path}/history")
    History.model_validate_json(response.content, strict=True)
    versions = response.json()["versions"]
    assert [version["object"] for version in versions] == ["Ada Quill", "Ben Reed", "Ben Reed"]
    assert [version["status"] for version in versions] == ["active", "active", "ended"]
    earlier = http.get(f"{path}/history", params={"at_revision": versions[1]["revision"]}).json()
    assert earlier["versions"] == versions[:2]


def test_filters_select_facts(http: Http) -> None:
    add(
        http,
        fact("Norland", "Ada Quill", valid_from="2020", valid_to="2022", source="gazette"),
        fact("Norland", "Ben Reed", valid_from="2022"),
        fact("Sudland", "Cy Tran", valid_from="2021", aliases=["The South"]),
    )

    def objects(**filters: Any) -> list[str]:
        response = http.get(FACTS, params=filters)
        assert response.status_code == 200, response.text
        FactPage.model_validate_json(response.content, strict=True)
        return [fact["object"] for fact in response.json()["facts"]]

    assert objects() == ["Ada Quill", "Ben Reed", "Cy Tran"]
    assert objects(subject="Norland") == ["Ada Quill", "Ben Reed"]
    assert objects(subject="The South") == ["Cy Tran"]
    assert objects(object="Ben Reed") == ["Ben Reed"]
    assert objects(relation="capital") == []
    assert objects(source="gazette") == ["Ada Quill"]
    assert objects(as_of="2021-06") == ["Ada Quill", "Cy Tran"]
    assert objects(as_of="2021-06", subject="Norland") == ["Ada Quill"]
    assert objects(status="ended") == []
    assert objects(at_revision=0) == []


@pytest.mark.parametrize(
    ("query", "status", "code", "parameter"),
    [
        ("colour=red", 400, "unknown_parameter", "colour"),
        ("as_of=2021&as_of=2022", 400, "unknown_parameter", "as_of"),
        ("as_of=lately", 422, "invalid_time", "as_of"),
        ("known_at=2021-02-30", 422, "invalid_time", "known_at"),
        ("status=odd", 422, "invalid_request", "status"),
        ("limit=0", 422, "invalid_request", "limit"),
        ("limit=many", 422, "invalid_request", "limit"),
        ("limit=100000", 422, "invalid_request", "limit"),
        ("at_revision=-1", 422, "invalid_request", "at_revision"),
        ("cursor=nonsense", 400, "invalid_cursor", "cursor"),
        ("cursor=%F0%9F%90%8D", 400, "invalid_cursor", "cursor"),
    ],
)
def test_a_query_that_cannot_be_names_its_parameter(
    http: Http, query: str, status: int, code: str, parameter: str
) -> None:
    refusal = problem(http.get(f"{FACTS}?{query}"), status, code)
    assert refusal["errors"][0]["parameter"] == parameter


def test_a_revision_of_the_future_is_a_409(http: Http) -> None:
    response = http.get(FACTS, params={"at_revision": 9})
    problem(response, 409, "revision_unknown")
    assert response.headers["retry-after"]


def test_known_at_and_at_revision_together_are_refused(http: Http) -> None:
    query = {"known_at": "2024", "at_revision": 0}
    problem(http.get(FACTS, params=query), 400, "malformed_request")


def test_pages_show_one_revision_whatever_is_written_between_them(http: Http) -> None:
    add(http, *(fact(subject=f"Town {n}") for n in range(7)))
    seen: list[str] = []
    cursor: str | None = None
    for page_number in range(4):
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = http.get(FACTS, params=query).json()
        assert page["revision"] == 1
        seen += [fact["subject"] for fact in page["facts"]]
        cursor = page["next_cursor"]
        add(http, fact(subject=f"Latecomer {page_number}"))
        first = http.get(FACTS, params={"limit": 1}).json()["facts"][0]["id"]
        http.request("PATCH", f"{FACTS}/{first}", json={"object": f"Reed {page_number}"})
    assert seen == [f"Town {n}" for n in range(7)]
    assert cursor is None


def test_a_cursor_at_a_fact_that_was_erased_since_says_so(http: Http) -> None:
    add(http, *(fact(subject=f"Town {n}") for n in range(4)))
    page = http.get(FACTS, params={"limit": 2}).json()
    http.request("DELETE", f"{FACTS}/{page['facts'][-1]['id']}?mode=erase")
    following = http.get(FACTS, params={"limit": 2, "cursor": page["next_cursor"]})
    problem(following, 410, "cursor_gone")


def test_a_cursor_of_other_filters_is_refused(http: Http) -> None:
    add(http, *(fact(subject=f"Town {n}") for n in range(3)))
    cursor = http.get(FACTS, params={"limit": 1}).json()["next_cursor"]
    query = {"cursor": cursor, "subject": "Town 2"}
    problem(http.get(FACTS, params=query), 400, "invalid_cursor")
