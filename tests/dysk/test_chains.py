"""Questions that join facts find the chain that is worded most like them, or none."""

from __future__ import annotations

import pytest

from dysk.candidates import read_query
from dysk.chains import Chain, find_chain
from graph import Fact, Relation, SetRelation
from graph.interval import now_period, parse_date
from tests.dysk.engines import World

PARTY = "Which is the political party of the representative of Zembla North?"


@pytest.fixture
def family(world: World) -> World:
    """Districts with representatives, who have parties and birthplaces, which lie in countries."""
    world.store.apply([SetRelation(Relation("representative", "one"))])
    for district, person, party, town in (
        ("Zembla North", "Ada Kinbote", "Heron Party", "Onhava"),
        ("Zembla South", "Otto Gradus", "Otter Party", "Kobaltana"),
    ):
        world.add(district, "representative", person)
        world.add(person, "political party", party)
        world.add(person, "birthplace", town)
        world.add(town, "river", f"the {town} brook")
        world.add(party, "leader", f"the head of the {party}")
    return world


def chain(world: World, question: str, as_of: str | None = None) -> list[str]:
    """The objects of the facts of the chain found, in order."""
    world.syncer.catch_up(world.store.revision)
    query = read_query(question, world.syncer, world.encoder.encoder)
    period = now_period() if as_of is None else parse_date(as_of)
    with world.store.snapshot() as snapshot:
        found = find_chain(query, [], world.syncer, snapshot, period)
    return [candidate.fact.object for candidate in found]


def test_facts_are_joined_from_the_entity_named_to_the_one_asked_for(family: World) -> None:
    assert chain(family, PARTY) == ["Ada Kinbote", "Heron Party"]
    assert chain(family, PARTY.replace("North", "South")) == ["Otto Gradus", "Otter Party"]


def test_a_chain_is_as_long_as_the_question(family: World) -> None:
    river = "What is the river of the birthplace of the representative of Zembla South?"
    assert chain(family, river) == ["Otto Gradus", "Kobaltana", "the Kobaltana brook"]


@pytest.mark.parametrize(
    "question",
    ["Who is the representative of Zembla North?", "What is the birthplace of Ada Kinbote?"],
)
def test_a_question_about_one_fact_is_no_chain(family: World, question: str) -> None:
    assert chain(family, question) == []


def test_a_question_that_names_nothing_known_is_no_chain(family: World) -> None:
    assert chain(family, "Which is the political party of the representative of Ruritania?") == []


def test_a_chain_follows_what_was_written_a_moment_ago(family: World) -> None:
    family.add("Zembla North", "representative", "Otto Gradus", valid_from="2020-01-01")
    assert chain(family, PARTY) == ["Otto Gradus", "Otter Party"]


def test_every_fact_of_a_chain_holds_when_it_is_asked_about(family: World) -> None:
    family.add("Zembla North", "representative", "Otto Gradus", valid_from="2020-01-01")
    assert chain(family, PARTY, as_of="2019") == ["Ada Kinbote", "Heron Party"]
    family.add("Ada Kinbote", "political party", "Swan Party", "2010", "2011")
    family.end(family.add("Ada Kinbote", "birthplace", "Nowhere", "1950"), "1960")
    assert "Nowhere" not in chain(family, PARTY.replace("political party", "birthplace"), "2019")


def test_of_several_objects_the_latest_recorded_is_followed(family: World) -> None:
    family.add("Ada Kinbote", "political party", "Egret Party")
    assert chain(family, PARTY) == ["Ada Kinbote", "Egret Party"]


def test_no_chain_leads_in_a_circle() -> None:
    begun = Chain("A", ("knows", "knows"), (Fact("f1", "A", "knows", "B"),))
    assert begun.ending_in(Fact("f2", "B", "knows", "A")) is None
    assert begun.ending_in(Fact("f3", "B", "knows", "B")) is None
    longer = begun.ending_in(Fact("f4", "B", "knows", "C"))
    assert longer is not None
    assert longer.end == "C"


def test_a_chain_in_words_begins_with_its_last_relation() -> None:
    assert Chain("Emma", ("author", "birthplace"), ()).phrase == (
        "the birthplace of the author of Emma"
    )


def test_the_facts_that_led_to_the_answer_are_its_evidence(family: World) -> None:
    for mode in ("attention", "hybrid"):
        answer = family.ask(PARTY, mode=mode)
        assert [fact.object for fact in answer.evidence] == ["Heron Party", "Ada Kinbote"]
        assert answer.evidence[0].attention is not None
        assert answer.evidence[1].attention is None


def test_a_prompt_gets_the_chain_first(family: World) -> None:
    answer = family.ask(PARTY, mode="rag", top_k=3)
    assert [fact.object for fact in answer.evidence][:2] == ["Heron Party", "Ada Kinbote"]
    assert len(answer.evidence) == 3
    assert len({fact.fact_id for fact in answer.evidence}) == 3
