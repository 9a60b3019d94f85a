"""A graph that knows whom is meant, and not what is asked of him, does not answer."""

from __future__ import annotations

import pytest

from dysk.candidates import read_query, retrieve
from dysk.relevance import is_relevant
from graph.interval import now_period
from tests.dysk.engines import READING, World


@pytest.fixture
def countries(world: World) -> World:
    for country in ("Zembla", "Ruritania"):
        world.add(country, "king", f"the king of {country}")
    world.add("Ruritania", "national bird", "the heron")
    return world


def relevant(world: World, question: str) -> bool:
    world.syncer.catch_up(world.store.revision)
    query = read_query(question, world.syncer, world.encoder.encoder)
    with world.store.snapshot() as snapshot:
        (best, *_) = retrieve(world.syncer, snapshot, query, now_period(), 1)
    return is_relevant(best, query, world.syncer)


def test_what_a_subject_has_is_answered(countries: World) -> None:
    assert relevant(countries, "Who is the king of Zembla?")
    assert relevant(countries, "What is the national bird of Ruritania?")


def test_what_only_others_have_is_not(countries: World) -> None:
    assert not relevant(countries, "What is the national bird of Zembla?")


def test_it_is_as_soon_as_it_is_written_and_no_longer_once_it_is_erased(countries: World) -> None:
    question = "What is the national bird of Zembla?"
    bird = countries.add("Zembla", "national bird", "the waxwing")
    assert relevant(countries, question)
    countries.erase(bird)
    assert not relevant(countries, question)


def test_a_neighbour_does_not_stand_in_for_another_that_is_named(world: World) -> None:
    world.add("Zembla Island", "king", "Otto")
    world.add("Zembla", "national bird", "the waxwing")
    assert relevant(world, "Who is the king of Zembla Island?")
    assert not relevant(world, "Who is the king of Zembla?")


def test_a_neighbour_with_another_number_is_another(world: World) -> None:
    world.add("2nd district of Zembla", "governor", "Otto")
    assert relevant(world, "Who is the governor of the 2nd district of Zembla?")
    assert not relevant(world, "Who is the governor of the 3rd district of Zembla?")
    assert relevant(world, "Who is the governor of the 2nd district of Zembla, of its 9 districts?")


def test_what_has_nothing_to_do_with_the_graph_is_not(countries: World) -> None:
    assert not relevant(countries, "How do volcanoes erupt?")


def test_relations_that_nobody_has_any_more_play_no_part(world: World) -> None:
    world.erase(world.add("Ruritania", "national bird", "the heron"))
    world.add("Zembla", "king", "Charles")
    world.syncer.catch_up(world.store.revision)
    assert world.syncer.relations() == ["king"]


@pytest.mark.parametrize("mode", READING)
def test_every_mode_that_reads_abstains(countries: World, mode: str) -> None:
    answer = countries.ask("What is the national bird of Zembla?", mode=mode)
    assert answer.status == "abstained"
    assert answer.evidence == ()
