"""``Dysk``, method by method, over a real data folder; the models are small stand-ins."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

import dysk
from dysk import Dysk, Workspace
from dysk.client import Dysk as Client
from dysk.errors import InvalidQuestion, ModelUnavailable, RevisionNotReached
from graph import (
    Add,
    Conflict,
    InvalidFact,
    InvalidTime,
    NotFound,
    PreconditionFailed,
    Retract,
    RevisionUnknown,
    StoreUnavailable,
)
from tests.dysk.engines import QUESTION, added

# -- opening and closing --------------------------------------------------------------------------


def test_opening_makes_the_folder_and_facts_survive_it(tmp_path: Path) -> None:
    with Dysk.open(tmp_path / "a" / "b") as d:
        assert d.name == "default"
        d.add("Zembla", "king", "Charles")
    with Dysk.open(str(tmp_path / "a" / "b")) as d:
        assert [fact.object for fact in d.facts()] == ["Charles"]


def test_another_graph_of_the_folder_is_made_when_it_is_opened(tmp_path: Path) -> None:
    with Dysk.open(tmp_path, graph="films") as films:
        films.add("Alien", "director", "Scott")
    with Dysk.open(tmp_path) as default:
        assert default.facts() == []
    with pytest.raises(NotFound):
        Dysk.open(tmp_path, graph="../films")


@pytest.mark.usefixtures("small_models")
def test_closing_twice_is_fine_and_later_calls_say_that_it_is_closed(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    d = Dysk.open(tmp_path)
    d.add("Zembla", "king", "Charles")
    d.ask(QUESTION, max_tokens=1)
    d.close()
    d.close()
    for call in (
        lambda: d.add("a", "b", "c"),
        d.facts,
        lambda: d.search("Zembla"),
        lambda: d.ask(QUESTION),
        lambda: d.erase("f1"),
    ):
        with pytest.raises(StoreUnavailable, match="closed"):
            call()
    assert set(threading.enumerate()) <= before


def test_the_package_offers_what_users_import() -> None:
    assert dysk.Dysk is Client
    for name in dysk.__all__:
        assert getattr(dysk, name).__doc__


# -- writing --------------------------------------------------------------------------------------


def test_add_states_every_field_of_a_fact(d: Dysk) -> None:
    receipt = d.add(
        "Zembla",
        "king",
        "Charles",
        valid_from="1936",
        valid_to="1958",
        source="Pale Fire",
        external_id="x1",
        attributes={"page": 12},
        id="k1",
        aliases=["Nova Zembla"],
        object_aliases=("Kinbote",),
    )
    fact = d.get("k1")
    assert receipt.items[0].fact == fact
    assert (fact.subject, fact.relation, fact.object) == ("Zembla", "king", "Charles")
    assert (fact.valid_from, fact.valid_to) == ("1936", "1958")
    assert (fact.source, fact.external_id) == ("Pale Fire", "x1")
    assert dict(fact.attributes) == {"page": 12}
    assert d.facts(subject="Nova Zembla", object="Kinbote") == [fact]


def test_on_conflict_and_dry_run_are_passed_on(d: Dysk) -> None:
    d.set_relation("king", cardinality="one")
    d.add("Zembla", "king", "Alfin", valid_from="1900")
    with pytest.raises(Conflict):
        d.add("Zembla", "king", "Charles", valid_from="1936", on_conflict="reject")
    tried = d.add("Zembla", "king", "Charles", valid_from="1936", dry_run=True)
    assert (tried.dry_run, tried.items[0].superseded) == (True, ("f1",))
    assert len(d.facts()) == 1
    d.add("Zembla", "king", "Charles", valid_from="1936")
    assert [fact.object for fact in d.facts(as_of="1940")] == ["Charles"]
    d.add("Zembla", "king", "Odon", valid_from="1936", on_conflict="coexist")
    assert len(d.facts(as_of="1940")) == 2


def test_the_five_verbs_are_kept_apart(d: Dysk) -> None:
    ended, corrected, retracted, erased = (
        added(d, "Zembla", "town", name) for name in ("Onhava", "Bera", "Nowhere", "Secret")
    )
    d.end(ended, "1950")
    d.correct(corrected, object="Bregberg", valid_from="1900")
    d.retract(retracted)
    d.erase(erased)
    assert (d.get(ended).status, d.get(ended).valid_to) == ("ended", "1950")
    assert (d.get(corrected).object, d.get(corrected).valid_from) == ("Bregberg", "1900")
    assert [version.object for version in d.history(corrected)] == ["Bera", "Bregberg"]
    assert d.get(retracted).status == "retracted"
    with pytest.raises(NotFound):
        d.get(erased)
    with pytest.raises(NotFound):
        d.history(erased)


def test_expected_revisions_are_preconditions(d: Dysk) -> None:
    fact_id = added(d, "Zembla", "town", "Onhava")
    d.correct(fact_id, expect_revision=1, object="Bera")
    with pytest.raises(PreconditionFailed):
        d.correct(fact_id, expect_revision=1, object="x")
    with pytest.raises(PreconditionFailed):
        d.end(fact_id, "1950", expect_revision=1)
    with pytest.raises(PreconditionFailed):
        d.retract(fact_id, expect_revision=1)
    assert d.end(fact_id, "1950", expect_revision=2).revision == 3


def test_a_batch_is_all_or_nothing_and_its_key_makes_it_happen_once(d: Dysk) -> None:
    with pytest.raises(NotFound):
        d.apply([Add("Zembla", "king", "Charles"), Retract("nope")])
    assert d.store.revision == 0
    first = d.apply([Add("Zembla", "king", "Charles")], idempotency_key="k")
    again = d.apply([Add("Zembla", "king", "Charles")], idempotency_key="k")
    assert (again.revision, again.replayed) == (first.revision, True)


@pytest.mark.parametrize("change", [{}, {"status": "ended"}, {"object": ""}])
def test_a_correction_that_says_nothing_right_is_refused(
    d: Dysk, change: dict[str, object]
) -> None:
    fact_id = added(d, "Zembla", "town", "Onhava")
    with pytest.raises(InvalidFact):
        d.correct(fact_id, **change)  # type: ignore[arg-type]


# -- looking --------------------------------------------------------------------------------------


def test_facts_are_filtered_by_every_field(d: Dysk) -> None:
    d.add("Zembla", "king", "Alfin", valid_from="1900", valid_to="1919", source="a")
    d.add("Zembla", "town", "Onhava", source="b")
    d.retract(added(d, "Borduria", "town", "Szohôd"))

    def objects(**filters: object) -> list[str]:
        return [fact.object for fact in d.facts(**filters)]  # type: ignore[arg-type]

    assert objects() == ["Alfin", "Onhava"]
    assert objects(subject="Zembla", relation="town") == ["Onhava"]
    assert objects(object="Alfin") == ["Alfin"]
    assert objects(source="b") == ["Onhava"]
    assert objects(status="retracted") == ["Szohôd"]
    assert objects(as_of="1950") == ["Onhava"]
    assert objects(limit=1) == ["Alfin"]
    assert objects(at_revision=1) == ["Alfin"]
    assert objects(known_at="1999") == []
    with pytest.raises(InvalidTime):
        objects(as_of="soon")
    with pytest.raises(RevisionUnknown):
        objects(at_revision=99)


def test_timeline_changes_and_networkx_tell_the_story(d: Dysk) -> None:
    d.set_relation("king", cardinality="one", template="{object} is king of {subject}.")
    d.add("Zembla", "king", "Charles", valid_from="1936", aliases=["Nova Zembla"])
    d.add("Zembla", "king", "Alfin", valid_from="1900", valid_to="1919")
    assert [fact.object for fact in d.timeline("Nova Zembla")] == ["Alfin", "Charles"]
    assert [commit.revision for commit in d.changes()] == [1, 2, 3]
    assert [commit.revision for commit in d.changes(since=1, limit=1)] == [2]
    assert d.to_networkx().number_of_edges() == 2
    assert set(d.to_networkx("1905").nodes) == {"Zembla", "Alfin"}


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_what_is_exported_comes_back_in(d: Dysk, tmp_path: Path, format: str) -> None:
    d.add("Zembla", "king", "Alfin", valid_from="1900", valid_to="1919")
    d.add("Zembla", "king", "Charles, the “Beloved”", valid_from="1936")
    lines = list(d.export_lines(format=format))  # type: ignore[arg-type]
    seen: list[int] = []
    with Dysk.open(tmp_path / "other") as other:
        report = other.import_lines(
            [f"{line}\n".encode() for line in lines],
            format=format,  # type: ignore[arg-type]
            progress=seen.append,
        )
        assert (report.added, report.bad_total) == (2, 0)
        assert [f.object for f in other.facts()] == [f.object for f in d.facts()]
    some = list(d.export_lines(format=format, as_of="1905"))  # type: ignore[arg-type]
    assert "Alfin" in "\n".join(some)
    assert "Beloved" not in "\n".join(some)


def test_unknown_fields_make_a_line_bad_or_are_kept(d: Dysk) -> None:
    line = json.dumps({"subject": "Zembla", "relation": "king", "object": "Charles", "page": 3})
    refused = d.import_lines([line.encode()])
    assert (refused.added, refused.bad_total, refused.bad[0].number) == (0, 1, 1)
    assert d.import_lines([line.encode()], extra_attributes=True).added == 1
    assert dict(d.facts()[0].attributes) == {"page": 3}


# -- asking ---------------------------------------------------------------------------------------


def test_search_and_ask_find_what_was_just_written(d: Dysk) -> None:
    d.add("Zembla", "king", "Alfin", valid_from="1900", valid_to="1919")
    receipt = d.add("Zembla", "king", "Charles", valid_from="1936", source="Pale Fire")
    assert [e.object for e in d.search("king of Zembla")] == ["Charles"]
    assert [e.object for e in d.search("king of Zembla", as_of="1905")] == ["Alfin"]
    assert [e.object for e in d.search("king of Zembla in 1905")] == ["Alfin"]
    answer = d.ask(QUESTION, min_revision=receipt.revision, max_tokens=1)
    assert [e.source for e in answer.evidence] == ["Pale Fire"]
    d.add("Zembla", "town", "Onhava")
    assert len(d.search("Zembla")) == 2
    assert len(d.search("Zembla", limit=1)) == 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"question": ""}, InvalidQuestion),
        ({"question": "x" * 5_000}, InvalidQuestion),
        ({"mode": "guess"}, InvalidQuestion),
        ({"grounding": "hard"}, InvalidQuestion),
        ({"candidates": 0}, InvalidQuestion),
        ({"top_k": 0}, InvalidQuestion),
        ({"max_tokens": -1}, InvalidQuestion),
        ({"as_of": "soon"}, InvalidTime),
        ({"known_at": "2024-02-30"}, InvalidTime),
    ],
)
def test_what_cannot_be_asked_is_refused_before_any_model_loads(
    tmp_path: Path, options: dict[str, object], error: type[Exception]
) -> None:
    with Dysk.open(tmp_path, model="/no/such/model", encoder="/no/such/encoder") as d:
        with pytest.raises(error):
            d.ask(**{"question": QUESTION, **options})  # type: ignore[arg-type]
        with pytest.raises(ModelUnavailable, match="/no/such/encoder"):
            d.ask(QUESTION)
        for bad in ("", "x" * 5_000):
            with pytest.raises(InvalidQuestion):
                d.search(bad)
        with pytest.raises(InvalidQuestion):
            d.search("Zembla", limit=0)
        with pytest.raises(InvalidTime):
            d.search("Zembla", as_of="soon")
        assert d.add("Zembla", "king", "Charles").revision == 1  # writes need no model


def test_a_revision_of_the_future_is_not_reached(d: Dysk) -> None:
    d.add("Zembla", "king", "Charles")
    with pytest.raises(RevisionNotReached):
        d.ask(QUESTION, min_revision=2)


# -- what the docs show ---------------------------------------------------------------------------


@pytest.mark.models
def test_the_example_in_the_package_s_docstring_runs_as_it_stands(
    real_models: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for part in ("encoder", "model", "heads"):
        loaded = getattr(real_models, part)()
        monkeypatch.setattr(Workspace, part, lambda *_, loaded=loaded: loaded)
    monkeypatch.chdir(tmp_path)
    example = (dysk.__doc__ or "").split("\n\n", 1)[1]
    assert "d.ask(" in example
    exec(compile(example, "dysk.__doc__", "exec"), {})
    assert "Keir Starmer" in capsys.readouterr().out
