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

from graph import Add, FactStore, MemoryStore, Relation, SetAliases, SetRelation, parse_date
from graph.interchange import BadLine, load_commands, rdf
from graph.interchange.loading import Numbered
from graph.interchange.rdf import Syntax
from tests.graph.interchange.documents import document
from tests.graph.interchange.worlds import content, kingdom, names, random_stores

ROOT = Path(__file__).parents[3]
SYNTAXES: tuple[Syntax, ...] = ("ntriples", "turtle")
both = pytest.mark.parametrize("syntax", SYNTAXES)

PREFIXES = """\
@prefix : <http://example.org/> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix schema: <http://schema.org/> .
@prefix dysk: <urn:dysk:field:> .
"""
FIRST = PREFIXES.count("\n") + 1
"""The number of the first line after them."""


def read(text: str, syntax: Syntax = "turtle", **options: Any) -> list[Numbered]:
    prefixes = PREFIXES if syntax == "turtle" else ""
    return list(rdf.read((prefixes + text).encode().splitlines(keepends=True), syntax, **options))


def adds(text: str, **options: Any) -> list[Add]:
    found = [command for _, command in read(text, **options)]
    assert not [each for each in found if isinstance(each, BadLine)]
    return [command for command in found if isinstance(command, Add)]


def said(text: str, **options: Any) -> list[tuple[str, str, str, str | None, str | None]]:
    return [
        (add.subject, add.relation, add.object, add.valid_from, add.valid_to)
        for add in adds(text, **options)
    ]


def bad(text: str, syntax: Syntax = "turtle", **options: Any) -> list[tuple[int, str]]:
    found = [line for _, line in read(text, syntax, **options) if isinstance(line, BadLine)]
    return [(line.number, line.reason) for line in found]


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
    syntax: Syntax, triple: tuple[str, str, str], source: str
) -> None:
    store = MemoryStore()
    [given] = rdf_free_adds(triple, source)
    if isinstance(given, Add):
        store.apply([given])
    assert content(reloaded(store, syntax)) == content(store)


def rdf_free_adds(triple: tuple[str, str, str], source: str) -> list[Add | None]:
    """The fact, or None where the store would not take it."""
    add = Add(*triple, source=source, aliases=(f"{source}.",), attributes={"a": source})
    try:
        MemoryStore().apply([add])
    except Exception:
        return [None]
    return [add]


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


# Bad lines.


def test_a_bad_line_of_ntriples_hides_no_other() -> None:
    plain = "<http://a.org/s> <http://a.org/p> <http://a.org/o> .\n"
    lines = [plain, "<http://a.org/ \n", plain, '<http://a.org/s> <http://a.org/p> "x .\n', plain]
    found = read("".join(lines), "ntriples")
    assert [number for number, item in found if isinstance(item, BadLine)] == [2, 4]
    assert [number for number, item in found if isinstance(item, Add)] == [1, 3, 5]


def statements_read(text: str) -> list[int]:
    return [number for number, item in read(text) if isinstance(item, Add)]


def test_an_open_quote_of_turtle_hides_no_line_but_its_own() -> None:
    broken = (":d :e 'open .", ':i :j """open .', ":n <open .")
    text = ":a :b :c .\n" + "".join(f"{line}\n:o :p :q .\n" for line in broken)
    assert [number for number, _ in bad(text)] == [FIRST + 1, FIRST + 3, FIRST + 5]
    assert statements_read(text) == [FIRST, FIRST + 2, FIRST + 4, FIRST + 6]


def test_what_has_no_dot_goes_on_and_the_error_says_how_far() -> None:
    text = ":a :b :c .\ngarbage\n:d :e :f .\n:g :h :i .\n"
    [(number, reason)] = bad(text)
    assert number == FIRST + 1
    assert reason == (
        "the line is not RDF: garbage is not a valid subject or graph name; "
        f"the next statement that was read ends on line {FIRST + 3}"
    )
    assert statements_read(text) == [FIRST, FIRST + 3]


def test_prefixes_hold_after_an_open_quote() -> None:
    text = "@prefix ex: <http://ex.org/> .\n:a :b 'open\nex:a ex:b ex:c .\n"
    assert statements_read(text) == [FIRST + 2]


def test_open_quotes_without_number_hide_no_other_line() -> None:
    found = read((":a :b <open " + "x" * 10_000 + "\n:d :e :f .\n") * 300)
    assert sum(isinstance(item, BadLine) for _, item in found) == 300
    assert sum(isinstance(item, Add) for _, item in found) == 300


def test_any_number_of_remarks_and_prefixes_may_stand_between_statements() -> None:
    remarks = "".join(
        f"# {'x' * 1_000}\n\n@prefix p{n}: <http://e.org/{n}> .\n" for n in range(600)
    )
    text = f":a :b :c .\n{remarks}p7:d :e :f .\n"
    assert bad(text) == []
    assert len(statements_read(text)) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (":s rdf:subject :a ; rdf:predicate :b .", "needs one subject, predicate and object"),
        (":s rdf:subject :a, :x ; rdf:predicate :b ; rdf:object :c .", "needs one subject"),
        ("<< :a :b :c >> schema:startDate '2021', '2022' .", "valid_from: the statement has two"),
        ("<< :a :b :c >> schema:startDate 'soon' .", "valid_from: 'soon' is not an ISO 8601 date"),
        ("<< :a :b :c >> dysk:attributes '{' .", "attributes: it should be JSON"),
        ("<< :a :b :c >> dysk:colour 'red' .", "colour: unknown field 'colour'"),
        (":a :b <<( :c :d :e )>> .", "a triple within a triple"),
        (":a :b '' .", "object: the text is empty"),
        (":a rdfs:label 'x\\u0000' .", "control character"),
        (":r dysk:cardinality 'one', 'many' .", "one value of each setting"),
        ("<a> <b> <c> .", "No scheme found in an absolute IRI"),
    ],
)
def test_a_bad_statement_says_what_is_wrong(text: str, reason: str) -> None:
    found = bad(text)
    assert found
    assert all(number == FIRST for number, _ in found)
    assert reason in found[0][1]


def test_a_statement_with_endless_properties_is_bad() -> None:
    text = ":s :p " + ", ".join(f'"{number}"' for number in range(1_100)) + " .\n"
    assert "over 1,000 triples" in bad(text + ":s rdf:subject :a .")[0][1]


@both
def test_triples_in_triples_that_would_overflow_the_parser_are_bad(syntax: Syntax) -> None:
    deep = "<<( <http://a.org/s> <http://a.org/p> " * 20_000
    line = f"<http://a.org/s> <http://a.org/p> {deep} <http://a.org/o> {')>> ' * 20_000}.\n"
    plain = "<http://a.org/s> <http://a.org/p> <http://a.org/o> .\n"
    found = read(line + plain, syntax)
    assert any("in one another" in item.reason for _, item in found if isinstance(item, BadLine))
    assert [item.object for _, item in found if isinstance(item, Add)] == ["o"]


def test_a_text_without_an_end_hides_no_statement() -> None:
    good = f":d :e :f . # {'x' * 500}\n" * 800
    found = read(':a :b """' + "x " * 300_000 + "\n" + good)
    [(number, item)] = [each for each in found if isinstance(each[1], BadLine)]
    assert (number, item) == (FIRST, BadLine(FIRST, "what begins here has no end"))
    assert sum(isinstance(item, Add) for _, item in found) == 800


def test_remarks_without_an_end_are_left_out_and_told() -> None:
    text = ':a :b """open\n' + ("# " + "x" * 500_000 + "\n") * 40 + '""" .\n:d :e :f .\n'
    reasons = [reason for _, reason in bad(text)]
    assert "what began before has no end, and was left out" in reasons
    assert len(statements_read(text)) == 1


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
