"""N-Triples and Turtle: our own come back whole, others' are understood, bad lines are told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyoxigraph
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graph import (
    Add,
    FactStore,
    GraphError,
    MemoryStore,
    Relation,
    SetAliases,
    SetRelation,
    parse_date,
)
from graph.interchange import BadLine, load_commands, rdf
from graph.interchange.rdf import Syntax
from tests.graph.interchange.documents import document
from tests.graph.interchange.turtle import FIRST, adds, bad, read, said
from tests.graph.interchange.worlds import content, kingdom, names, random_stores

ROOT = Path(__file__).parents[3]
SYNTAXES: tuple[Syntax, ...] = ("ntriples", "turtle")
both = pytest.mark.parametrize("syntax", SYNTAXES)

# Our own.


def reloaded(store: FactStore, syntax: Syntax, **options: Any) -> FactStore:
    copy = MemoryStore()
    lines = [f"{line}\n".encode() for line in rdf.dump(store.snapshot(), syntax, **options)]
    assert load_commands(copy, rdf.read(lines, syntax)).bad == []
    return copy


@both
def test_a_dump_brings_back_facts_names_and_settings(syntax: Syntax) -> None:
    store = kingdom()
    copy = reloaded(store, syntax)
    assert content(copy) == content(store)
    assert list(content(copy)) == list(content(store))
    assert names(copy) == names(store)
    assert copy.snapshot().relations() == store.snapshot().relations()


@both
@settings(max_examples=25, deadline=None)
@given(random_stores())
def test_any_history_comes_back_from_its_dump(syntax: Syntax, store: FactStore) -> None:
    copy = reloaded(store, syntax)
    assert content(copy) == content(store)
    assert names(copy) == names(store)


texts = st.text(min_size=1, max_size=20)


@both
@settings(max_examples=60, deadline=None)
@given(st.tuples(texts, texts, texts), texts)
def test_any_name_that_can_be_stored_comes_back(
    syntax: Syntax, triple: tuple[str, str, str], more: str
) -> None:
    store = MemoryStore()
    try:
        store.apply([Add(*triple, source=more, aliases=(f"{more}.",), attributes={more: more})])
    except GraphError:
        return
    copy = reloaded(store, syntax)
    assert content(copy) == content(store)
    assert names(copy) == names(store)


@both
def test_a_dump_as_of_a_time_has_what_held_then(syntax: Syntax) -> None:
    assert set(content(reloaded(kingdom(), syntax, as_of=parse_date("1893-01")))) == {"r", "w"}


def test_a_fact_without_an_end_is_a_plain_triple_too_for_those_who_ask_what_is_true() -> None:
    text = "\n".join(rdf.dump(kingdom().snapshot(), "turtle"))
    graph = pyoxigraph.Store()
    graph.load(text.encode(), format=pyoxigraph.RdfFormat.TURTLE)
    kings = graph.query(
        """PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#> SELECT ?name WHERE
        { <urn:dysk:entity:Ruritania> <urn:dysk:relation:king> [ rdfs:label ?name ] }"""
    )
    assert isinstance(kings, pyoxigraph.QuerySolutions)
    assert {solution["name"].value for solution in kings} == {"Now", "Guest"}


def test_dates_have_the_types_of_xml_schema_where_those_have_the_form() -> None:
    store = MemoryStore()
    for date in ("2021", "2021-05", "2021-05-03", "2021-05-03T10:00Z", "-0043", "+12021-05"):
        store.apply([Add("a", "b", date, date)])
    text = "\n".join(rdf.dump(store.snapshot(), "ntriples"))
    for date, kind in (("2021", "gYear"), ("2021-05", "gYearMonth"), ("2021-05-03", "date")):
        assert f'"{date}"^^<http://www.w3.org/2001/XMLSchema#{kind}> .' in text
    assert text.count("XMLSchema") == 3


# Others'.


def test_a_triple_is_a_fact_without_dates() -> None:
    assert said(":Keir_Starmer :headOfGovernment :UK .") == [
        ("Keir Starmer", "head of government", "UK", None, None)
    ]
    assert said(":UK :population 68000000 .") == [("UK", "population", "68000000", None, None)]


STATEMENTS = {
    "RDF 1.1": """_:s rdf:type rdf:Statement ; rdf:subject :UK ; rdf:predicate :leader ;
        rdf:object :Truss ; schema:startDate "2022-09-06" ; schema:endDate "2022-10-25" .""",
    "RDF 1.2": """:UK :leader :Truss
        {| schema:startDate "2022-09-06" ; schema:endDate "2022-10-25" |} .""",
    "RDF-star": """<< :UK :leader :Truss >> schema:startDate "2022-09-06" ;
        schema:endDate "2022-10-25" .""",
}


@pytest.mark.parametrize("form", STATEMENTS)
def test_a_statement_about_a_triple_dates_it(form: str) -> None:
    assert said(STATEMENTS[form]) == [("UK", "leader", "Truss", "2022-09-06", "2022-10-25")]


@pytest.mark.parametrize("form", STATEMENTS)
@pytest.mark.parametrize("order", [-1, 1])
def test_the_triple_that_a_statement_is_about_is_no_second_fact(form: str, order: int) -> None:
    parts = [":UK :leader :Truss .", ":UK :leader :Sunak .", STATEMENTS[form]][::order]
    assert sorted(said("\n".join(parts)))[1:] == [
        ("UK", "leader", "Truss", "2022-09-06", "2022-10-25")
    ]


def test_dates_may_stand_far_from_their_statement() -> None:
    others = "".join(f":x{number} :y :z .\n" for number in range(500))
    start = '_:s schema:startDate "2022-09-06" .\n'
    statement = "_:s rdf:subject :UK ; rdf:predicate :leader ; rdf:object :Truss .\n"
    [found] = [each for each in said(start + others + statement) if each[0] == "UK"]
    assert found == ("UK", "leader", "Truss", "2022-09-06", None)


def test_the_iri_of_a_statement_is_the_id_of_its_fact() -> None:
    node = "rdf:subject :a ; rdf:predicate :b ; rdf:object :c"
    ours, others, blank = (
        adds(f"{name} {node} .")[0].id for name in ("<urn:dysk:fact:f%201>", ":s1", "_:s")
    )
    assert (ours, others, blank) == ("f 1", "http://example.org/s1", None)


def test_one_reifier_of_two_triples_is_two_facts() -> None:
    text = "_:r rdf:reifies <<( :a :b :c )>>, <<( :a :b :d )>> ; schema:startDate '2021' ."
    assert sorted(each[2:4] for each in said(text)) == [("c", "2021"), ("d", "2021")]


def test_other_properties_of_a_statement_are_bad_or_kept_as_attributes() -> None:
    text = '<< :a :b :c >> :hasConfidence 0.9 ; :note "x" ; :note "y" .'
    [(_, reason)] = bad(text)
    assert "unknown property 'has confidence'" in reason
    [add] = adds(text, extra="attributes")
    assert add.attributes == {"has confidence": "0.9", "note": ["x", "y"]}


def test_a_source_may_be_an_iri() -> None:
    text = "<< :a :b :c >> <http://www.w3.org/ns/prov#wasDerivedFrom> <http://example.org/page> ."
    assert adds(text)[0].source == "http://example.org/page"


def test_a_text_keeps_its_language_as_an_attribute() -> None:
    [add] = adds(':a :motto "Nil quae feci"@la .')
    assert (add.object, add.attributes) == ("Nil quae feci", {"language": "la"})


def test_relations_can_be_declared() -> None:
    text = ':leads rdfs:label "leads the"@en ; dysk:cardinality "one" .\n:a :leads :b .'
    [(_, setting), (_, fact), *_] = read(text)
    assert setting == SetRelation(Relation("leads the", "one"))
    assert isinstance(fact, Add)
    assert fact.relation == "leads the"


# Names.


def test_a_label_names_its_thing_wherever_it_stands() -> None:
    text = ':Q145 :P6 :Q192 .\n:Q192 rdfs:label "David Cameron"@en .\n:P6 rdfs:label "led by" .'
    assert said(text) == [("Q145", "led by", "David Cameron", None, None)]


def test_labels_are_taken_in_the_language_asked_for() -> None:
    text = ':a rdfs:label "Germany"@en, "Deutschland"@de, "Allemagne"@fr ; :b :c .'
    assert adds(text)[0].subject == "Germany"
    assert adds(text, language="de")[0].subject == "Deutschland"
    assert adds(text, language="it")[0].subject == "Germany"


def test_two_things_with_one_name_stay_two() -> None:
    text = ':q1 rdfs:label "Paris" ; :in :France .\n:q2 rdfs:label "Paris" ; :in :Texas .'
    assert [each[0] for each in said(text)] == [
        "Paris (http://example.org/q1)",
        "Paris (http://example.org/q2)",
    ]
    assert [each[0] for each in said(":Paris :in :a . <http://other.org/Paris> :in :b .")] == [
        "Paris (http://example.org/Paris)",
        "Paris (http://other.org/Paris)",
    ]


def test_a_name_of_our_own_is_never_changed() -> None:
    text = "<urn:dysk:entity:Paris> :in :France .\n:Paris :in :Texas ."
    assert [each[0] for each in said(text)] == ["Paris", "Paris (http://example.org/Paris)"]


def test_iris_and_other_labels_become_aliases() -> None:
    text = (
        ':UK rdfs:label "United Kingdom"@en ; '
        '<http://www.w3.org/2004/02/skos/core#altLabel> "Britain" ; :a :b .'
    )
    aliases = {c.entity: c.aliases for _, c in read(text) if isinstance(c, SetAliases)}
    assert aliases["United Kingdom"] == ("Britain", "http://example.org/UK")


def test_a_blank_node_needs_a_label() -> None:
    assert said('_:x rdfs:label "The keep" ; :in :Zenda .') == [
        ("The keep", "in", "Zenda", None, None)
    ]
    [(number, reason)] = bad("\n_:x :in :Zenda .")
    assert number == FIRST + 1
    assert "a blank node has no name" in reason


def test_the_documents_of_the_fuzzer_are_understood() -> None:
    lines = document("reified.ttl").splitlines(keepends=True)
    found = [item for _, item in rdf.read(lines, "turtle")]
    [moat] = [item for item in found if isinstance(item, BadLine)]
    assert moat.reason == "object: the text has a control character, U+000A"
    assert Add("Ruritania", "head of state", "Rudolf V", "1890", "1893-05") in found
    assert Add("Strelsau", "country", "Ruritania", "1610-03-01") in found


def test_without_pyoxigraph_only_reading_says_what_to_install() -> None:
    code = """
import sys
sys.modules["pyoxigraph"] = None
from graph import Add, MemoryStore
from graph.interchange import UnreadableFile, rdf
store = MemoryStore()
store.apply([Add("a", "b", "c")])
assert len(list(rdf.dump(store.snapshot(), "ntriples"))) > 5
try:
    list(rdf.read([b""], "turtle"))
except UnreadableFile as error:
    print(error)
"""
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert "pip install 'dysk[rdf]'" in shown
