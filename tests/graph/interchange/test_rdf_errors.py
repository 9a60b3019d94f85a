"""What is wrong with RDF is told, and hides nothing beside it."""

from __future__ import annotations

import pytest

from graph import Add
from graph.interchange import BadLine
from graph.interchange.rdf import Syntax
from tests.graph.interchange.turtle import FIRST, bad, read


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


@pytest.mark.parametrize("syntax", ["ntriples", "turtle"])
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
