"""The write verbs, and what they say about what they did."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dysk.cli.errors import InputError
from dysk.cli.facts import parse_changes
from tests.dysk.cli.calls import add, call, read, succeed

LEADER = ("UK", "head of government")


def test_an_added_fact_is_shown_with_its_id_its_dates_and_the_revision(tmp_path: Path) -> None:
    shown = succeed(tmp_path, "add", *LEADER, "Keir Starmer", "--from", "2024-07-05")
    assert "add" in shown
    assert "UK · head of government · Keir Starmer (2024-07-05 –)" in shown
    assert "at revision 1" in shown


def test_the_json_of_an_added_fact_has_every_field(tmp_path: Path) -> None:
    receipt = read(
        tmp_path, "add", *LEADER, "Keir Starmer", "--from", "2024-07-05", "--to", "2030",
        "--source", "gov.uk", "--alias", "Britain", "--object-alias", "Sir Keir Starmer",
    )  # fmt: skip
    assert receipt["revision"] == 1
    assert receipt["dry_run"] is False
    (item,) = receipt["items"]
    assert item["outcome"] == "created"
    assert item["superseded"] == []
    fact = item["fact"]
    assert (fact["subject"], fact["relation"], fact["object"]) == (*LEADER, "Keir Starmer")
    assert (fact["valid_from"], fact["valid_to"]) == ("2024-07-05", "2030")
    assert fact["source"] == "gov.uk"
    assert fact["status"] == "active"
    assert fact["attributes"] == {}
    assert fact["supersedes"] == []
    assert fact["superseded_by"] is None
    assert fact["revision"] == 1
    assert fact["recorded_at"].endswith("Z")


def test_a_fact_is_found_by_the_aliases_that_were_added_with_it(tmp_path: Path) -> None:
    fact = add(tmp_path, *LEADER, "Keir Starmer", "--alias", "Britain", "--alias", "GB")
    for name in ("UK", "Britain", "GB", "Keir Starmer"):
        assert [found["id"] for found in read(tmp_path, "timeline", name)["facts"]] == [fact]


def test_the_same_fact_added_twice_is_stored_once(tmp_path: Path) -> None:
    first = add(tmp_path, *LEADER, "Keir Starmer", "--from", "2024-07-05")
    again = read(tmp_path, "add", *LEADER, "Keir Starmer", "--from", "2024-07-05")
    assert again["items"][0]["outcome"] == "unchanged"
    assert again["items"][0]["fact"]["id"] == first
    assert again["revision"] == 1
    shown = succeed(tmp_path, "add", *LEADER, "Keir Starmer", "--from", "2024-07-05")
    assert shown.startswith(f"unchanged  {first}")


def test_a_newer_object_of_a_relation_with_one_object_supersedes(tmp_path: Path) -> None:
    succeed(tmp_path, "relation", LEADER[1], "--cardinality", "one")
    older = add(tmp_path, *LEADER, "Rishi Sunak", "--from", "2022-10-25")
    receipt = read(tmp_path, "add", *LEADER, "Keir Starmer", "--from", "2024-07-05")
    assert receipt["items"][0]["superseded"] == [older]
    kinds = {change["kind"]: change for change in receipt["changes"]}
    assert kinds["supersede"]["fact_id"] == older
    assert kinds["supersede"]["after"]["valid_to"] == "2024-07-05"
    assert kinds["supersede"]["before"]["valid_to"] is None


def test_an_undeclared_relation_lets_objects_stand_side_by_side(tmp_path: Path) -> None:
    add(tmp_path, "Keir Starmer", "speaks", "English")
    receipt = read(tmp_path, "add", "Keir Starmer", "speaks", "French")
    assert receipt["items"][0]["superseded"] == []


def test_on_conflict_overrides_what_the_relation_declares(tmp_path: Path) -> None:
    succeed(tmp_path, "relation", LEADER[1], "--cardinality", "one")
    add(tmp_path, *LEADER, "Rishi Sunak", "--from", "2022-10-25")
    newer = (*LEADER, "Keir Starmer", "--from", "2024-07-05")
    assert call(tmp_path, "add", *newer, "--on-conflict", "reject").exit_code == 4
    receipt = read(tmp_path, "add", *newer, "--on-conflict", "coexist")
    assert receipt["items"][0]["superseded"] == []


def test_a_dry_run_shows_the_effect_and_writes_nothing(tmp_path: Path) -> None:
    succeed(tmp_path, "relation", LEADER[1], "--cardinality", "one")
    older = add(tmp_path, *LEADER, "Rishi Sunak", "--from", "2022-10-25")
    before = read(tmp_path, "timeline", "UK")
    newer = ("add", *LEADER, "Keir Starmer", "--from", "2024-07-05", "--dry-run")
    plan = read(tmp_path, *newer)
    assert plan["dry_run"] is True
    assert plan["revision"] == 2
    assert plan["items"][0]["superseded"] == [older]
    assert "nothing written (dry run)" in succeed(tmp_path, *newer)
    assert read(tmp_path, "timeline", "UK") == before


def test_an_ended_fact_ends_where_it_was_told_to(tmp_path: Path) -> None:
    fact = add(tmp_path, *LEADER, "Rishi Sunak", "--from", "2022-10-25")
    ended = read(tmp_path, "end", fact, "--at", "2024-07-05")["items"][0]["fact"]
    assert (ended["valid_to"], ended["status"]) == ("2024-07-05", "ended")


def test_a_corrected_fact_has_the_right_values_and_keeps_the_others(tmp_path: Path) -> None:
    fact = add(tmp_path, *LEADER, "Rishi Sunak", "--from", "2022-10-24", "--to", "2024")
    corrected = read(
        tmp_path, "correct", fact, "valid_from=2022-10-25", "valid_to=", 'attributes={"seen": 2}'
    )["items"][0]["fact"]
    assert (corrected["valid_from"], corrected["valid_to"]) == ("2022-10-25", None)
    assert corrected["attributes"] == {"seen": 2}
    assert corrected["object"] == "Rishi Sunak"


def test_a_retracted_fact_stays_in_the_feed_and_an_erased_one_leaves_no_text(
    tmp_path: Path,
) -> None:
    never = add(tmp_path, "Atlantis", "capital", "Poseidonis")
    secret = add(tmp_path, "Ada", "telephone", "555-0199")
    assert read(tmp_path, "retract", never)["items"][0]["fact"]["status"] == "retracted"
    assert read(tmp_path, "erase", secret)["items"][0]["outcome"] == "erased"
    feed = succeed(tmp_path, "--output", "json", "changes")
    assert "Poseidonis" in feed
    assert "555-0199" not in feed
    assert "(its text is gone)" in succeed(tmp_path, "changes")


def test_a_relation_is_declared_with_its_wording(tmp_path: Path) -> None:
    template = "{object} governs {subject}."
    declared = read(
        tmp_path, "relation", "governor", "--cardinality", "one", "--template", template
    )
    assert declared["changes"][0]["relation"] == {
        "name": "governor",
        "cardinality": "one",
        "template": template,
        "inverse": None,
    }


def test_a_fact_may_be_stated_under_the_inverse_of_its_relation(tmp_path: Path) -> None:
    told = succeed(tmp_path, "relation", "works for", "--inverse", "employs")
    assert "works for: many, inverse employs" in told
    shown = succeed(tmp_path, "add", "Acme", "employs", "Ada")
    assert "Ada · works for · Acme" in shown


def test_merged_entities_share_a_timeline(tmp_path: Path) -> None:
    add(tmp_path, "Ada Q.", "lives in", "Norland")
    add(tmp_path, "Ada Quill", "born in", "Sudland")
    assert "merge      Ada Q. is Ada Quill" in succeed(tmp_path, "merge", "Ada Q.", "Ada Quill")
    timeline = succeed(tmp_path, "timeline", "Ada Q.")
    assert "Norland" in timeline
    assert "Sudland" in timeline
    assert call(tmp_path, "merge", "Nobody", "Ada Quill").exit_code == 3


def test_compacted_history_is_gone(tmp_path: Path) -> None:
    fact = add(tmp_path, *LEADER, "Rishi Sunka")
    succeed(tmp_path, "correct", fact, "object=Rishi Sunak")
    told = read(tmp_path, "compact", "--before", "2")
    assert told == {"horizon": 2, "versions": 1, "commits": 2}
    assert call(tmp_path, "changes", "--since", "1").exit_code == 3
    assert "earliest revision is 2" in succeed(tmp_path, "compact", "--before", "1")
    assert call(tmp_path, "compact", "--before", "9").exit_code == 4


def test_facts_of_one_graph_are_not_seen_in_another(tmp_path: Path) -> None:
    add(tmp_path, *LEADER, "Keir Starmer")
    succeed(tmp_path, "--graph", "films", "add", "Alien", "director", "Ridley Scott")
    assert call(tmp_path, "--graph", "films", "timeline", "UK").exit_code == 3
    assert call(tmp_path, "timeline", "Alien").exit_code == 3


def test_text_that_looks_like_markup_is_shown_as_it_is(tmp_path: Path) -> None:
    shown = succeed(tmp_path, "add", "[red]x[/red]", "is :smile:", "[/oops]")
    assert "[red]x[/red] · is :smile: · [/oops]" in shown


@pytest.mark.parametrize(
    ("assignments", "said"),
    [
        (["valid_to"], "not FIELD=VALUE"),
        (["=2024"], "no field ''"),
        (["status=active"], "no field 'status'"),
        (["object=a", "object=b"], "given twice"),
        (["attributes={"], "not JSON"),
    ],
)
def test_a_correction_that_cannot_be_meant_is_refused(assignments: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_changes(assignments)


@given(st.text(min_size=1))
def test_a_corrected_value_may_hold_anything_even_an_equals_sign(value: str) -> None:
    assert parse_changes([f"object={value}"]) == {"object": value}
