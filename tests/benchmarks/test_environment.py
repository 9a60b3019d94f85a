from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from benchmarks.environment import environment, processor, public_name, room
from dysk.models import DEFAULT_MODEL
from graph.interval import parse_date


def test_what_counts_for_a_figure_is_recorded() -> None:
    found = environment(None, None)
    assert found["model"] == DEFAULT_MODEL
    assert parse_date(str(found["date"]))
    assert isinstance(found["threads"], int)
    versions = found["versions"]
    assert isinstance(versions, dict)
    assert versions["torch"]
    assert versions["transformers"]


def test_neither_the_machine_nor_its_folders_are_named(tmp_path: Path) -> None:
    text = json.dumps(environment(str(tmp_path / "my-model"), str(tmp_path)))
    assert str(tmp_path.parent) not in text
    assert str(Path.home()) not in text
    host = platform.node()
    assert not host or host not in text
    assert "my-model" in text


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("owner/model-1B", "owner/model-1B"),
        ("/models/owner/model-1B", "model-1B"),
        ("~/models/tiny", "tiny"),
    ],
)
def test_a_hub_id_is_kept_and_a_path_cut(model: str, name: str) -> None:
    assert public_name(model) == name


def test_a_relative_path_that_exists_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret-project" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert public_name("secret-project/model") == "model"


def test_the_processor_has_a_name() -> None:
    assert processor()


def test_room_is_bytes_of_all_files_by_facts_and_the_memory_of_the_largest_process(
    tmp_path: Path,
) -> None:
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "a.db").write_bytes(b"x" * 300)
    (tmp_path / "b").write_bytes(b"x" * 100)
    taken = room(tmp_path, 4)
    assert taken["disk_bytes_per_fact"] == 100
    assert 2**20 < taken["peak_rss_bytes"] < 2**40
    assert room(tmp_path, 0)["disk_bytes_per_fact"] == 400
