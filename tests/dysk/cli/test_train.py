"""``dysk train`` with an encoder without weights: what it tells, where it is kept, and errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from dysk.calibration import cache_file, calibration_for
from dysk.retrieval.encoder import HashEncoder
from dysk.workspace import Workspace
from tests.dysk.cli.calls import call, read

ARGUMENTS = ("train", "--graphs", "8")


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYSK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Workspace, "encoder", lambda *_: HashEncoder())
    calibration_for.cache_clear()


def test_weights_are_kept_for_the_encoder_and_are_the_same_every_time(tmp_path: Path) -> None:
    told = read(tmp_path / "data", *ARGUMENTS)
    path = cache_file(HashEncoder().fingerprint)
    assert Path(told["file"]) == path
    assert told["graphs"] == 8
    assert told["questions"] > 0
    assert 0 < told["precision"] <= 1
    assert 0 < told["recall"] <= 1
    other = tmp_path / "other.safetensors"
    again = call(tmp_path / "data", *ARGUMENTS, "--to", str(other))
    assert again.exit_code == 0, again.output
    assert other.read_bytes() == path.read_bytes()
    for part in ("abstained", "%", "kept in"):
        assert part in again.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("train", "--graphs", "3"), 2, "graphs"),
        (("train", "--seed", "x"), 2, "seed"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_status(
    tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    result = call(tmp_path / "data", *arguments)
    assert result.exit_code == status
    assert said in result.stderr


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = call(tmp_path / "data", *ARGUMENTS, "--to", str(tmp_path / "file" / "weights"))
    assert result.exit_code == 6
    assert "cannot keep the weights" in result.stderr
