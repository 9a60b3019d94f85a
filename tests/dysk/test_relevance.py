"""A graph that knows whom is meant, and not what is asked of him, does not answer."""

from __future__ import annotations

import pytest

from dysk.calibration import calibration_for
from dysk.candidates import read_query, retrieve
from dysk.relevance import FAR, NEIGHBOURS, Signs, read_signs
from graph.interval import now_period
from tests.dysk.engines import READING, World


@pytest.fixture
def countries(world: World) -> World:
    for country in ("Zembla", "Ruritania"):
        world.add(country, "king", f"the king of {country}")
    world.add("Ruritania", "national bird", "the heron")
    return world


def relevant(world: World, question: str) -> bool:
    calibration = calibration_for(world.encoder.encoder.fingerprint)
    return calibration.is_relevant(signs(world, question), strict=True)


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


def signs(world: World, question: str) -> Signs:
    world.syncer.catch_up(world.store.revision)
    query = read_query(question, world.syncer, world.encoder.encoder)
    with world.store.snapshot() as snapshot:
        found = retrieve(world.syncer, snapshot, query, now_period(), NEIGHBOURS, reach=FAR)
        return read_signs(found, query, world.syncer, snapshot, now_period())


@pytest.mark.parametrize(
    ("question", "shared", "beside", "elsewhere"),
    [
        ("Who taught Anna Coburn?", 2, 0, 0),
        ("Who taught the Danish potter Anna Coburn?", 2, 0, 1),
        ("Who taught Queen Anna Coburn?", 2, 1, 0),
        ("Who taught Queen, Anna Coburn?", 2, 0, 1),  # a comma parts two names
        ("Who taught Zembla's Anna Coburn?", 2, 0, 1),
        ("Who taught Anna Cobburn?", 2, 0, 0),  # a slip
        ("Who taught Anna Maria Coburn?", 2, 0, 0),
        ("Who taught Otto Brandt?", 0, 2, 0),
        ("Anna Coburn was taught by whom?", 2, 0, 0),
    ],
)
def test_capitals_tell_whether_a_name_is_the_subject_s(
    world: World, question: str, shared: int, beside: int, elsewhere: int
) -> None:
    world.add("Anna Coburn", "taught by", "Otto")
    found = signs(world, question).entity
    assert found[2:5] == (min(shared, 2) / 2, beside / 3, elsewhere / 3)


def test_a_lead_is_counted_up_to_where_no_rival_matters(world: World) -> None:
    world.add("Anna Coburn", "taught by", "Otto")
    assert signs(world, "Who taught Anna Coburn?").entity[5:7] == (1.0, 1.0)
    world.add("Anna Coburne", "taught by", "Karl")
    near, far = signs(world, "Who taught Anna Coburn?").entity[5:7]
    assert 0 < far < 1
    assert near == pytest.approx(min(1, far * FAR / 0.1))


def test_a_relation_counts_as_missing_only_where_others_alike_have_it(world: World) -> None:
    for number in range(12):
        world.add(f"Country {number}", "king", "Charles")
    world.add("Country 1", "national bird", "the heron")
    no_rival = signs(world, "What is the national bird of Country 3?").relation
    assert no_rival[1:] == (-0.3, -0.3)  # one of twelve has a bird
    world.add("Country 2", "national bird", "the heron")
    rival = signs(world, "What is the national bird of Country 3?").relation
    assert rival[1] > 0
    assert rival[0] == no_rival[0]
