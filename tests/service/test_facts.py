"""Facts over REST: the five verbs."""

from __future__ import annotations

from typing import Any

import pytest

from service.replies import FactOut
from tests.service.facts import FACTS, add, add_one, declare_one, fact
from tests.service.harness import Http, problem


def test_an_added_fact_is_answered_with_201_and_readable_at_once(http: Http) -> None:
    response = http.post(FACTS, {"facts": [fact(valid_from="2024-07-05", source="gazette")]})
    assert response.status_code == 201
    [item] = response.json()["items"]
    assert item["outcome"] == "created"
    read = http.get(f"{FACTS}/{item['fact']['id']}")
    assert read.status_code == 200
    assert read.json() == item["fact"]
    assert read.json()["valid_from"] == "2024-07-05"
    assert read.headers["etag"] == f'"{item["fact"]["revision"]}"'
    FactOut.model_validate_json(read.content, strict=True)


def test_a_batch_is_one_revision_with_a_result_for_each_fact(http: Http) -> None:
    receipt = add(http, *(fact(subject=f"Town {n}") for n in range(1000)))
    assert receipt["revision"] == 1
    assert len(receipt["items"]) == 1000
    assert {item["fact"]["revision"] for item in receipt["items"]} == {1}


@pytest.mark.parametrize(("count", "pointer"), [(0, "/facts"), (1001, "/facts")])
def test_a_batch_has_one_to_a_thousand_facts(http: Http, count: int, pointer: str) -> None:
    body = {"facts": [fact(subject=f"Town {n}") for n in range(count)]}
    refusal = problem(http.post(FACTS, body), 422, "invalid_request")
    assert refusal["errors"][0]["pointer"] == pointer


def test_a_bare_fact_is_refused_because_a_batch_is_an_object(http: Http) -> None:
    problem(http.post(FACTS, fact()), 422, "invalid_request")


def test_one_bad_fact_sinks_its_batch_and_is_pointed_at(http: Http) -> None:
    bad = fact(valid_from="2024", valid_to="2023-13")
    refusal = problem(http.post(FACTS, {"facts": [fact(), bad]}), 422, "invalid_time")
    assert refusal["errors"][0]["pointer"] == "/facts/1/valid_to"
    assert http.get(FACTS).json()["facts"] == []


def test_every_malformed_fact_of_a_batch_is_listed(http: Http) -> None:
    facts = [fact(), fact(object=5), fact(colour="red"), {"subject": "Norland"}]
    refusal = problem(http.post(FACTS, {"facts": facts}), 422, "invalid_request")
    assert [error["pointer"] for error in refusal["errors"]] == [
        "/facts/1/object",
        "/facts/2/colour",
        "/facts/3/relation",
        "/facts/3/object",
    ]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"subject": ""}, "/facts/0/subject"),
        ({"subject": "a\x00b"}, "/facts/0/subject"),
        ({"object": "x" * 3000}, "/facts/0/object"),
        ({"valid_from": "last year"}, "/facts/0/valid_from"),
        ({"valid_from": "2024", "valid_to": "2024"}, "/facts/0/valid_to"),
        ({"attributes": {"n": "x" * 20_000}}, "/facts/0/attributes"),
        ({"aliases": ["Nor", ""]}, "/facts/0/aliases/1"),
        ({"id": "i" * 300}, "/facts/0/id"),
    ],
)
def test_what_the_store_refuses_is_pointed_at_in_the_body(
    http: Http, change: dict[str, Any], pointer: str
) -> None:
    response = http.post(FACTS, {"facts": [fact() | change]})
    assert response.status_code == 422
    refusal = problem(response, 422, response.json()["code"])
    assert refusal["code"] in ("invalid_fact", "invalid_time")
    assert [error["pointer"] for error in refusal["errors"]] == [pointer]


def test_a_fact_that_is_stored_already_is_unchanged_with_200(http: Http) -> None:
    first = add(http, fact(valid_from="2020"))
    again = http.post(FACTS, {"facts": [fact(valid_from="2020")]})
    assert again.status_code == 200
    assert again.json()["revision"] == first["revision"]
    assert again.json()["items"][0]["outcome"] == "unchanged"


def test_a_relation_of_cardinality_one_supersedes_and_says_so(http: Http) -> None:
    declare_one(http)
    old = add_one(http, object="Ada Quill", valid_from="2020")
    receipt = add(http, fact(object="Ben Reed", valid_from="2024"))
    assert receipt["items"][0]["superseded"] == [old["id"]]
    closed = http.get(f"{FACTS}/{old['id']}").json()
    assert (closed["status"], closed["valid_to"]) == ("superseded", "2024")
    assert closed["superseded_by"] == receipt["items"][0]["fact"]["id"]


def test_on_conflict_reject_is_409_and_names_the_facts_in_the_way(http: Http) -> None:
    old = add_one(http, valid_from="2020")
    body = {"facts": [fact(object="Ben Reed", valid_from="2021")], "on_conflict": "reject"}
    refusal = problem(http.post(FACTS, body), 409, "conflict")
    assert refusal["fact_ids"] == [old["id"]]
    assert len(http.get(FACTS).json()["facts"]) == 1


def test_a_dry_run_is_200_and_writes_nothing(http: Http) -> None:
    response = http.post(FACTS, {"facts": [fact()], "dry_run": True})
    assert response.status_code == 200
    assert response.json()["dry_run"] is True
    assert response.json()["items"][0]["outcome"] == "created"
    assert http.get(FACTS).json() == {"revision": 0, "facts": [], "next_cursor": None}


def test_an_idempotency_key_replays_its_receipt_with_200(http: Http) -> None:
    headers = {"Idempotency-Key": "import-7"}
    first = http.post(FACTS, {"facts": [fact()]}, headers=headers)
    second = http.post(FACTS, {"facts": [fact()]}, headers=headers)
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == first.json() | {"replayed": True}


def test_an_idempotency_key_with_another_body_is_refused(http: Http) -> None:
    headers = {"Idempotency-Key": "import-7"}
    http.post(FACTS, {"facts": [fact()]}, headers=headers)
    response = http.post(FACTS, {"facts": [fact(object="Ben Reed")]}, headers=headers)
    problem(response, 422, "idempotency_mismatch")


@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 201, "é"])
def test_an_unusable_idempotency_key_is_a_400(http: Http, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1")}
    refusal = problem(
        http.post(FACTS, {"facts": [fact()]}, headers=headers), 400, "malformed_request"
    )
    assert refusal["errors"][0]["header"] == "Idempotency-Key"


def test_two_idempotency_keys_are_a_400(http: Http) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    problem(http.post(FACTS, {"facts": [fact()]}, headers=headers), 400, "malformed_request")


def test_ending_a_fact_closes_its_interval(http: Http) -> None:
    added = add_one(http, valid_from="2020")
    response = http.post(f"{FACTS}/{added['id']}/end", {"at": "2024-07"})
    assert response.status_code == 200
    ended = response.json()["items"][0]["fact"]
    assert (ended["status"], ended["valid_to"]) == ("ended", "2024-07")
    assert response.headers["etag"] == f'"{ended["revision"]}"'


def test_an_end_that_cannot_be_is_pointed_at(http: Http) -> None:
    added = add_one(http, valid_from="2020")
    response = http.post(f"{FACTS}/{added['id']}/end", {"at": "soon"})
    assert problem(response, 422, "invalid_time")["errors"][0]["pointer"] == "/at"


def test_correcting_a_fact_changes_only_the_fields_given(http: Http) -> None:
    added = add_one(http, valid_from="2020", valid_to="2024", source="a rumour")
    path = f"{FACTS}/{added['id']}"
    response = http.request("PATCH", path, json={"valid_from": "2021", "source": None})
    assert response.status_code == 200
    corrected = response.json()["items"][0]["fact"]
    assert (corrected["valid_from"], corrected["valid_to"]) == ("2021", "2024")
    assert corrected["source"] is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"id": "f9"}, "/id"),
        ({"subject": None}, "/subject"),
        ({"object": " "}, "/object"),
        ({"valid_from": "2024-02-30"}, "/valid_from"),
    ],
)
def test_a_correction_that_cannot_be_is_pointed_at(
    http: Http, body: dict[str, Any], pointer: str
) -> None:
    added = add_one(http)
    response = http.request("PATCH", f"{FACTS}/{added['id']}", json=body)
    assert response.status_code == 422
    errors = problem(response, 422, response.json()["code"])["errors"]
    assert [error["pointer"] for error in errors] == [pointer]


def test_if_match_guards_a_correction_against_a_newer_version(http: Http) -> None:
    added = add_one(http)
    path, old = f"{FACTS}/{added['id']}", {"If-Match": f'"{added["revision"]}"'}
    first = http.request("PATCH", path, json={"object": "Ben Reed"}, headers=old)
    assert first.status_code == 200
    late = http.request("PATCH", path, json={"object": "Cy Tran"}, headers=old)
    problem(late, 412, "precondition_failed")
    new = {"If-Match": first.headers["etag"]}
    assert http.request("PATCH", path, json={"object": "Cy Tran"}, headers=new).status_code == 200


def test_if_match_guards_end_and_retract_too(http: Http) -> None:
    added = add_one(http, valid_from="2020")
    path, wrong = f"{FACTS}/{added['id']}", {"If-Match": '"99"'}
    problem(http.post(f"{path}/end", {"at": "2024"}, headers=wrong), 412, "precondition_failed")
    retract = http.request("DELETE", f"{path}?mode=retract", headers=wrong)
    problem(retract, 412, "precondition_failed")


@pytest.mark.parametrize("etag", ["7", '"x"', 'W/"1"', '"1", "2"', '"' + "9" * 30 + '"'])
def test_an_if_match_that_is_no_revision_is_a_400(http: Http, etag: str) -> None:
    added = add_one(http)
    response = http.request(
        "PATCH", f"{FACTS}/{added['id']}", json={"object": "X"}, headers={"If-Match": etag}
    )
    assert problem(response, 400, "malformed_request")["errors"][0]["header"] == "If-Match"


def test_a_retracted_fact_leaves_the_listing_but_stays_in_the_past(http: Http) -> None:
    added = add_one(http)
    path = f"{FACTS}/{added['id']}"
    retracted = http.request("DELETE", f"{path}?mode=retract")
    assert retracted.status_code == 200
    assert http.get(FACTS).json()["facts"] == []
    assert http.get(path).json()["status"] == "retracted"
    before = http.get(path, params={"at_revision": added["revision"]}).json()
    assert before == added


def test_an_erased_fact_is_gone_from_every_revision(http: Http) -> None:
    added = add_one(http)
    path = f"{FACTS}/{added['id']}"
    erased = http.request("DELETE", f"{path}?mode=erase")
    assert erased.status_code == 200
    assert erased.json()["items"] == [{"outcome": "erased", "fact": None, "superseded": []}]
    problem(http.get(path), 404, "not_found")
    problem(http.get(path, params={"at_revision": added["revision"]}), 404, "not_found")
    problem(http.get(f"{path}/history"), 404, "not_found")


@pytest.mark.parametrize("query", ["", "?mode=hide", "?mode=erase&mode=retract"])
def test_delete_wants_one_of_its_two_modes(http: Http, query: str) -> None:
    added = add_one(http)
    response = http.request("DELETE", f"{FACTS}/{added['id']}{query}")
    refusal = problem(response, response.status_code, response.json()["code"])
    assert response.status_code in (400, 422)
    assert refusal["errors"][0]["parameter"] == "mode"
    assert http.get(f"{FACTS}/{added['id']}").status_code == 200


def test_erasing_under_if_match_is_refused_rather_than_ignored(http: Http) -> None:
    added = add_one(http)
    path = f"{FACTS}/{added['id']}"
    guarded = http.request("DELETE", f"{path}?mode=erase", headers={"If-Match": '"1"'})
    problem(guarded, 400, "malformed_request")
    assert http.get(path).status_code == 200


@pytest.mark.parametrize("fact_id", ["f404", "https://example.org/fact/1", "a%20b", "%00", "é"])
def test_an_unknown_fact_is_a_404_for_every_verb(http: Http, fact_id: str) -> None:
    path = f"{FACTS}/{fact_id}"
    for response in (
        http.get(path),
        http.get(f"{path}/history"),
        http.post(f"{path}/end", {"at": "2024"}),
        http.request("PATCH", path, json={"object": "X"}),
        http.request("DELETE", f"{path}?mode=retract"),
        http.request("DELETE", f"{path}?mode=erase"),
    ):
        assert response.status_code in (404, 422), response.text
        problem(response, response.status_code, response.json()["code"])


def test_an_id_may_be_an_iri(http: Http) -> None:
    iri = "https://example.org/facts/1"
    add(http, fact(id=iri, valid_from="2020"))
    assert http.get(f"{FACTS}/https%3A%2F%2Fexample.org%2Ffacts%2F1").json()["id"] == iri
    assert http.post(f"{FACTS}/{iri}/end", {"at": "2021"}).status_code == 200
    assert len(http.get(f"{FACTS}/{iri}/history").json()["versions"]) == 2


def test_a_declared_relation_is_told_as_it_is_stored(http: Http) -> None:
    body = {"cardinality": "one", "template": " {object} leads {subject}. "}
    response = http.request("PUT", "/v1/graphs/default/relations/led%20by%2Funder", json=body)
    assert response.status_code == 200
    stored = {
        "name": "led by/under",
        "cardinality": "one",
        "template": "{object} leads {subject}.",
        "inverse": None,
    }
    told = response.json()
    assert (told["revision"], told["relation"]) == (1, stored)
    assert [change["relation"] for change in told["changes"]] == [stored]
    again = http.request("PUT", "/v1/graphs/default/relations/led%20by%2Funder", json=body)
    assert again.json() == {"revision": 1, "relation": stored, "changes": []}


def test_a_fact_is_written_and_listed_under_the_inverse_of_its_relation(http: Http) -> None:
    path = "/v1/graphs/default/relations/head%20of%20government"
    assert http.request("PUT", path, json={"inverse": "governs"}).status_code == 200
    added = add(http, {"subject": "Ada Quill", "relation": "governs", "object": "Norland"})
    stored = added["items"][0]["fact"]
    assert (stored["subject"], stored["relation"]) == ("Norland", "head of government")
    listed = http.get(FACTS, params={"relation": "governs", "subject": "Ada Quill"}).json()
    assert [(each["id"], each["object"]) for each in listed["facts"]] == [(stored["id"], "Norland")]


def test_if_match_guards_an_addition_against_any_other_write(http: Http) -> None:
    add_one(http)
    body, stale = {"facts": [fact("Sudland")]}, {"If-Match": '"0"'}
    refusal = problem(http.post(FACTS, body, headers=stale), 412, "precondition_failed")
    assert "revision 1, not 0" in refusal["detail"]
    assert http.post(FACTS, body, headers={"If-Match": '"1"'}).status_code == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"cardinality": "few"}, "/cardinality"),
        ({"template": "{subject} rules"}, "/template"),
        ({"template": "{subject.__class__} {object}"}, "/template"),
        ({"inverse": "leader"}, "/inverse"),
    ],
)
def test_relation_settings_that_cannot_be_are_pointed_at(
    http: Http, body: dict[str, Any], pointer: str
) -> None:
    response = http.request("PUT", "/v1/graphs/default/relations/leader", json=body)
    assert response.status_code == 422
    errors = problem(response, 422, response.json()["code"])["errors"]
    assert [error["pointer"] for error in errors] == [pointer]


def test_text_of_any_script_comes_back_as_it_went_in(http: Http) -> None:
    added = add_one(http, object="Łódź 🏙 القاهرة", attributes={"note": "“quoted”", "n": [1, 2.5]})
    assert added["object"] == "Łódź 🏙 القاهرة"
    assert added["attributes"] == {"note": "“quoted”", "n": [1, 2.5]}
