"""Wikidata's dumps: names, dates, ranks, values, and what is wrong with a line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph import Add, MemoryStore, SetAliases, parse_date
from graph.interchange import BadLine, Skipped, load_commands, wikidata
from graph.interchange.loading import Numbered
from tests.graph.interchange.documents import lines

Record = dict[str, Any]


def snak(property: str, kind: str, value: Any) -> Record:
    return {
        "snaktype": "value",
        "property": property,
        "datavalue": {"type": kind, "value": value},
    }


def item(property: str, id: str) -> Record:
    return snak(property, "wikibase-entityid", {"entity-type": "item", "id": id})


def time(property: str, text: str, precision: int = 11, julian: bool = False) -> Record:
    calendar = "Q1985786" if julian else "Q1985727"
    uri = f"http://www.wikidata.org/entity/{calendar}"
    value = {"time": text, "precision": precision, "calendarmodel": uri}
    return snak(property, "time", value)


def statement(main: Record, *qualifiers: Record, id: str = "Q1$1", **more: Any) -> Record:
    grouped: dict[str, list[Record]] = {}
    for qualifier in qualifiers:
        grouped.setdefault(qualifier["property"], []).append(qualifier)
    return {"mainsnak": main, "rank": "normal", "id": id, "qualifiers": grouped, **more}


def entity(id: str, *statements: Record, **more: Any) -> bytes:
    claims: dict[str, list[Record]] = {}
    for each in statements:
        claims.setdefault(each["mainsnak"]["property"], []).append(each)
    return json.dumps({"type": "item", "id": id, "claims": claims, **more}).encode() + b",\n"


def read(*given: bytes, **options: Any) -> list[Numbered]:
    return list(wikidata.read(given, **options))


def adds(*given: bytes, **options: Any) -> list[Add]:
    return [command for _, command in read(*given, **options) if isinstance(command, Add)]


def bad(*given: bytes) -> str:
    [(_, found)] = read(*given)
    assert isinstance(found, BadLine)
    return found.reason


def dates(*qualifiers: Record) -> tuple[str | None, str | None]:
    [add] = adds(entity("Q1", statement(item("P6", "Q2"), *qualifiers)))
    return add.valid_from, add.valid_to


# A dump as it comes.


def dump() -> MemoryStore:
    store = MemoryStore()
    report = load_commands(store, wikidata.read(lines("wikidata.json")))
    assert (report.bad, report.added, report.skipped) == ([], 16, 2)
    return store


def test_statements_become_facts_under_the_labels_of_their_entities() -> None:
    governed = dump().snapshot().facts(subject="United Kingdom", relation="head of government")
    assert [(f.object, f.valid_from, f.valid_to) for f in governed] == [
        ("David Cameron", "2010-05-11", "2016-07-13"),
        ("Theresa May", "2016-07-13", "2019-07-24"),
        ("Boris Johnson", "2019-07-24", "2022-09-06"),
    ]


def test_a_dump_can_be_asked_about_a_day() -> None:
    facts = dump().snapshot().facts(relation="head of government", as_of=parse_date("2019-07-24"))
    assert [fact.object for fact in facts] == ["Boris Johnson"]


def test_aliases_and_identifiers_find_the_entity() -> None:
    snapshot = dump().snapshot()
    for name in ("UK", "U.K.", "Q145"):
        assert snapshot.resolve(name) == ["United Kingdom"]
    assert snapshot.resolve("Newton") == ["Isaac Newton"]


def test_two_entities_with_one_label_stay_two() -> None:
    snapshot = dump().snapshot()
    countries = {fact.subject: fact.object for fact in snapshot.facts(relation="country")}
    assert countries["Paris (Q90)"] == "Q142"
    assert countries["Paris (Q830149)"] == "Q30"
    assert sorted(snapshot.resolve("Paris")) == ["Paris (Q830149)", "Paris (Q90)"]


def test_values_of_every_kind_have_words() -> None:
    found = {(add.subject, add.relation): add.object for add in adds(*lines("wikidata.json"))}
    assert found["United Kingdom", "area"] == "242495 square kilometre"
    assert found["United Kingdom", "population"] == "63182000"
    assert (
        found["United Kingdom", "P1448"] == "United Kingdom of Great Britain and Northern Ireland"
    )
    assert found["London", "P625"] == "51.507222222222, -0.1275"
    assert found["London", "P214"] == "155106532"
    assert found["Isaac Newton", "date of birth"] == "1643-01-04"
    assert found["Julius Caesar", "P570"] == "-0043-03-13"


def test_another_language_is_taken_where_there_are_labels_in_it() -> None:
    found = adds(*lines("wikidata.json"), language="de")
    assert (found[0].subject, found[0].relation) == ("Vereinigtes Königreich", "Regierungschef")
    assert "Paris (Q830149)" in {add.subject for add in found}, "English where German is missing"


def test_a_dump_loaded_twice_changes_nothing() -> None:
    store = dump()
    again = load_commands(store, wikidata.read(lines("wikidata.json")))
    assert (again.added, again.unchanged, again.revision) == (0, 16, store.revision)


def test_a_fact_says_where_it_can_be_looked_up() -> None:
    [add] = adds(entity("Q1", statement(item("P6", "Q2"), id="Q1$a-b")))
    assert (add.id, add.source) == ("Q1$a-b", "https://www.wikidata.org/wiki/Q1")


# Names.


def labels(**names: str) -> Record:
    return {code: {"language": code, "value": name} for code, name in names.items()}


def test_a_name_may_come_after_its_first_use() -> None:
    [add] = adds(
        entity("Q1", statement(item("P6", "Q2"))),
        entity("Q2", labels=labels(en="Two")),
        entity("P6", labels=labels(en="head")),
    )
    assert (add.subject, add.relation, add.object) == ("Q1", "head", "Two")


def test_labels_for_all_languages_come_before_english_ones() -> None:
    [add] = adds(
        entity("Q1", statement(item("P6", "Q2")), labels=labels(en="One", mul="Ⅰ", de="Eins")),
        language="fr",
    )
    assert add.subject == "Ⅰ"


def test_a_label_that_is_anothers_identifier_does_not_take_its_facts() -> None:
    first, second = adds(
        entity("Q1", statement(item("P6", "Q2")), labels=labels(en="Q2")),
        entity("Q2", statement(item("P6", "Q1"), id="Q2$1")),
    )
    assert (first.subject, second.subject) == ("Q2 (Q1)", "Q2")


def test_only_entities_that_facts_name_get_aliases() -> None:
    aliases = {"en": [{"language": "en", "value": "Uno"}]}
    told = read(
        entity("Q1", statement(item("P6", "Q2")), labels=labels(en="One"), aliases=aliases),
        entity("Q3", labels=labels(en="Three"), aliases=aliases),
    )
    commands = [command for _, command in told if isinstance(command, SetAliases)]
    assert commands == [SetAliases("One", ("Uno", "Q1"))]


def test_very_many_aliases_are_told_in_several_commands() -> None:
    names = [f"{number} " + "x" * 1_000 for number in range(60)]
    aliases = {"en": [{"language": "en", "value": name} for name in names]}
    store = MemoryStore()
    given = entity("Q1", statement(item("P6", "Q2")), labels=labels(en="One"), aliases=aliases)
    assert load_commands(store, wikidata.read([given])).bad == []
    assert store.snapshot().aliases("One") == (*names, "Q1")


# Time.


def test_start_and_end_are_the_interval_as_written() -> None:
    assert dates(time("P580", "+2010-05-11T00:00:00Z")) == ("2010-05-11", None)
    assert dates(time("P582", "+2016-07-00T00:00:00Z", 10)) == (None, "2016-07")
    assert dates(
        time("P580", "+1703-00-00T00:00:00Z", 9), time("P582", "+1727-00-00T00:00:00Z", 9)
    ) == ("1703", "1727")


@pytest.mark.parametrize(
    ("text", "precision", "interval"),
    [
        ("+2011-00-00T00:00:00Z", 9, ("2011", "2012")),
        ("+2011-12-00T00:00:00Z", 10, ("2011-12", "2012-01")),
        ("+2011-03-27T00:00:00Z", 11, ("2011-03-27", "2011-03-28")),
        ("+2012-02-29T00:00:00Z", 11, ("2012-02-29", "2012-03-01")),
        ("+1980-00-00T00:00:00Z", 8, ("1980", "1990")),
        ("+1901-00-00T00:00:00Z", 7, ("1901", "2001")),
        ("+2000-00-00T00:00:00Z", 7, ("1901", "2001")),
        ("+9999-12-31T00:00:00Z", 11, ("9999-12-31", "+10000-01-01")),
        ("-0044-00-00T00:00:00Z", 9, ("-0043", "-0042")),
        ("-0001-00-00T00:00:00Z", 9, ("0000", "0001")),
        ("-13000-00-00T00:00:00Z", 9, ("-12999", "-12998")),
    ],
)
def test_a_point_in_time_is_as_long_as_it_is_known(
    text: str, precision: int, interval: tuple[str, str]
) -> None:
    assert dates(time("P585", text, precision)) == interval


@pytest.mark.parametrize(
    ("julian", "ours"),
    [
        ("+1582-10-04T00:00:00Z", "1582-10-14"),
        ("+1642-12-25T00:00:00Z", "1643-01-04"),
        ("+1700-02-29T00:00:00Z", "1700-03-11"),
        ("+1917-10-25T00:00:00Z", "1917-11-07"),
        ("-0044-03-15T00:00:00Z", "-0043-03-13"),
    ],
)
def test_days_of_the_julian_calendar_become_ours(julian: str, ours: str) -> None:
    assert dates(time("P580", julian, julian=True)) == (ours, None)


def test_an_end_within_the_start_lasts_to_its_own_end() -> None:
    start, year = time("P580", "+2015-03-00T00:00:00Z", 10), "+2015-00-00T00:00:00Z"
    assert dates(start, time("P582", year, 9)) == ("2015-03", "2016")
    assert dates(time("P580", year, 9), time("P582", year, 9)) == ("2015", "2016")


def test_an_end_before_the_start_is_bad() -> None:
    start, end = time("P580", "+2015-00-00T00:00:00Z", 9), time("P582", "+2014-00-00T00:00:00Z", 9)
    assert "valid_to: the interval" in bad(entity("Q1", statement(item("P6", "Q2"), start, end)))


def test_an_end_that_nobody_knows_is_no_fact_that_goes_on() -> None:
    unknown = {"snaktype": "somevalue", "property": "P582"}
    assert "does not say when" in bad(entity("Q1", statement(item("P6", "Q2"), unknown)))
    none = {"snaktype": "novalue", "property": "P582"}
    assert dates(none) == (None, None)


def test_several_starts_are_bad_since_a_fact_has_one() -> None:
    starts = [time("P580", f"+20{year}-00-00T00:00:00Z", 9) for year in (10, 15)]
    assert "2 values of P580" in bad(entity("Q1", statement(item("P6", "Q2"), *starts)))


@given(st.integers(-9_000, 9_000), st.integers(1, 12), st.integers(1, 28), st.booleans())
def test_a_day_is_followed_by_the_next(year: int, month: int, day: int, julian: bool) -> None:
    written = year if year > 0 else year - 1  # no year 0 there
    text = f"{'+' if written > 0 else '-'}{abs(written):04}-{month:02}-{day:02}T00:00:00Z"
    valid_from, valid_to = dates(time("P585", text, julian=julian))
    assert valid_from is not None
    assert valid_to is not None
    assert parse_date(valid_from).end == parse_date(valid_to).start
    if not julian:
        assert int(valid_from.rsplit("-", 2)[0]) == year


# Ranks, and statements that mean no fact.


def test_deprecated_statements_and_those_without_a_value_are_left_out() -> None:
    nothing = {"snaktype": "novalue", "property": "P26"}
    told = read(
        entity("Q1", statement(item("P6", "Q2"), rank="deprecated"), statement(nothing, id="Q1$2"))
    )
    assert told == [
        (1, Skipped(1, "statement Q1$1: deprecated")),
        (1, Skipped(1, "statement Q1$2: it has no value, or none that is known")),
    ]


def test_a_preferred_rank_and_other_qualifiers_are_kept() -> None:
    [add] = adds(
        entity(
            "Q1",
            statement(item("P6", "Q2"), snak("P1545", "string", "55"), rank="preferred"),
        ),
        entity("P1545", labels=labels(en="series ordinal")),
    )
    assert add.attributes == {"rank": "preferred", "qualifiers": {"series ordinal": ["55"]}}


# Bad lines.


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[1]", "one entity"),
        (b"{}", "None is not an identifier"),
        (b'{"id": "Q0"}', "'Q0' is not an identifier"),
        (entity("Q1", claims=3), "claims should be a dict"),
        (entity("Q1", claims={"P6": 3}), "a statement of Q1: a statement should be a dict"),
        (entity("Q1", statement(item("P6", "Q2"), rank="best")), "one of preferred, normal"),
        (entity("Q1", statement(item("P6", "x"))), "'x' is not an identifier"),
        (entity("Q1", statement(snak("P6", "string", 3))), "value should be a str, not a int"),
        (entity("Q1", statement(snak("P6", "string", "a\nb"))), "object: the text has a control"),
        (entity("Q1", statement(snak("P6", "colour", {}))), "'colour' have no words"),
        (entity("Q1", statement(time("P6", "soon"))), "'soon' is not a time"),
        (entity("Q1", statement(time("P6", "+2021-13-01T00:00:00Z"))), "no month 13"),
        (entity("Q1", statement(time("P6", "+2021-02-30T00:00:00Z", 11, True))), "no day 30"),
        (entity("Q1", statement(time("P6", "-13798000000-00-00T00:00:00Z", 3))), "beyond"),
        (
            entity("Q1", statement(snak("P6", "globecoordinate", {"latitude": 1e999}))),
            "latitude should be a number",
        ),
        (entity("Q1", labels={"en": {"value": "\ud800"}}), "label of Q1: "),
        (entity("Q1", aliases={"en": [{"value": ""}]}), "alias of Q1: "),
    ],
)
def test_a_bad_line_says_what_is_wrong(text: bytes, reason: str) -> None:
    assert reason in bad(text)


def test_good_statements_go_in_beside_bad_ones() -> None:
    given = entity("Q1", statement(item("P6", "x")), statement(item("P6", "Q2"), id="Q1$2"))
    (_, first), (_, second) = read(given)
    assert isinstance(first, BadLine)
    assert isinstance(second, Add)
    assert first.reason.startswith("statement Q1$1: ")


def test_empty_members_may_be_lists_as_the_dumps_have_them() -> None:
    given = json.dumps({"id": "Q1", "labels": [], "aliases": [], "claims": []}).encode()
    assert read(b"[\n", given + b",\n", b"\n", b"]\n") == []


def test_items_of_old_dumps_have_only_a_number() -> None:
    value = {"entity-type": "item", "numeric-id": 2}
    [add] = adds(entity("Q1", statement(snak("P6", "wikibase-entityid", value))))
    assert add.object == "Q2"


@given(st.binary(max_size=60))
def test_any_bytes_are_items(text: bytes) -> None:
    for _, found in read(text):
        assert isinstance(found, BadLine | Add | SetAliases)
