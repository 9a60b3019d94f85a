"""``dysk heads`` on a tiny model, which has none worth finding, and on the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dysk.attention.heads import heads_for
from dysk.language_model import LanguageModel
from dysk.retrieval.encoder import HashEncoder
from dysk.workspace import Workspace
from tests.contracts.tiny_model import save_tiny_model
from tests.dysk.cli.calls import call, read


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DYSK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return save_tiny_model(tmp_path / "tiny")


@pytest.fixture
def spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder without weights."""
    monkeypatch.setattr(Workspace, "encoder", lambda *_: HashEncoder())


@pytest.mark.usefixtures("spelling")
def test_what_was_found_is_told_and_kept_for_the_asks_to_come(
    tmp_path: Path, cache: Path, tiny: Path
) -> None:
    arguments = ("--model", str(tiny), "heads", "--questions", "20")
    found = read(tmp_path / "data", *arguments)
    assert found["model"] == "tiny"
    assert len(found["heads"]) == 4
    assert all(layer in (0, 1) and 0 <= head < 4 for layer, head in found["heads"])
    assert found["questions"] == 10
    assert all(0 <= share <= 1 for share in found["accuracy"].values())
    assert found["accuracy"]["coarse"] > 0.5  # questions name their subject
    assert Path(found["file"]).parent == cache / "heads"
    kept = heads_for(LanguageModel(tiny, memory_bytes=1 << 20), HashEncoder())
    assert [list(head) for head in kept.heads] == found["heads"]
    assert kept.coarse_weight == found["coarse_weight"]
    assert read(tmp_path / "data", *arguments) == found


@pytest.mark.usefixtures("spelling", "cache")
def test_the_text_names_heads_weight_and_accuracy(tmp_path: Path, tiny: Path) -> None:
    result = call(tmp_path / "data", "--model", str(tiny), "heads", "--questions", "20")
    assert result.exit_code == 0, result.output
    for part in ("layer.head", "λ", "coarse", "by the heads alone", "by both", "kept in", "%"):
        assert part in result.stdout
    assert "10 invented questions" in result.stderr


@pytest.mark.usefixtures("spelling", "cache")
def test_another_seed_asks_other_questions(tmp_path: Path, tiny: Path) -> None:
    arguments = ("--model", str(tiny), "heads", "--questions", "20", "--seed")
    first, second = (read(tmp_path / "data", *arguments, seed) for seed in ("1", "2"))
    assert first["file"] == second["file"]
    assert first != second


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("heads", "--questions", "0"), 2, "questions"),
        (("heads", "--questions", "many"), 2, "questions"),
        (("heads", "--seed", "x"), 2, "seed"),
        (("--model", "/no/such/model", "heads"), 6, "/no/such/model"),
        (("--encoder", "/no/such/encoder", "heads"), 6, "/no/such/encoder"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_status(
    tmp_path: Path, tiny: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    result = call(tmp_path / "data", "--model", str(tiny), *arguments)
    assert result.exit_code == status, result.output
    assert said in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("spelling")
def test_a_cache_that_cannot_be_written_is_said(
    tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DYSK_CACHE", str(tmp_path / "file"))
    result = call(tmp_path / "data", "--model", str(tiny), "heads", "--questions", "20")
    assert result.exit_code == 6
    assert "DYSK_CACHE" in result.stderr


@pytest.mark.models
@pytest.mark.slow
def test_the_default_model_has_heads_that_find_the_right_fact(
    tmp_path: Path, cache: Path, real_models: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Workspace, "encoder", lambda *_: real_models._encoder)
    monkeypatch.setattr(Workspace, "model", lambda *_: real_models._model)
    found = read(tmp_path / "data", "heads", "--questions", "20")
    assert found["accuracy"]["fused"] >= 0.8
    assert found["accuracy"]["alone"] >= 0.4  # by chance: 1 in 16
    assert Path(found["file"]).parent == cache / "heads"
