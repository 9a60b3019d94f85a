"""lm-evaluation-harness for real: it asks dysk in its own process, and over the service."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from benchmarks.schema import BenchmarkError
from benchmarks.speed.write import served
from dysk.client import Dysk
from dysk.workspace import Workspace

ROOT = Path(__file__).parents[3]
needs_harness = pytest.mark.skipif(
    importlib.util.find_spec("lm_eval") is None,
    reason="lm-evaluation-harness is not installed: run make test",
)


@pytest.fixture
def world(real_models: Workspace, tmp_path: Path) -> Path:
    """A data folder with the example graph. The models are there, or this skips."""
    folder = tmp_path / "world.dysk"
    with Dysk.open(folder) as graph, (ROOT / "examples" / "world.jsonl").open("rb") as lines:
        graph.import_lines(lines)
    return folder


def evaluated(folder: Path, *options: str) -> dict[str, float]:
    """The scores of the first question of the task, by the harness's own command."""
    command = [sys.executable, "-m", "benchmarks.lm_eval", "run", "--tasks", "dysk_updates"]
    ours = {"HF_HOME": str(folder / "hub"), "OPENAI_API_KEY": "none", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--limit", "1", "--output_path", str(folder), *options],
        cwd=ROOT,
        env={**os.environ, **ours},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    [path] = folder.rglob("results_*.json")
    found: dict[str, float] = json.loads(path.read_text("utf-8"))["results"]["dysk_updates"]
    return found


@needs_harness
@pytest.mark.models
@pytest.mark.slow
def test_dysk_is_a_model_of_the_harness(world: Path, tmp_path: Path) -> None:
    found = evaluated(tmp_path / "out", "--model", "dysk", "--model_args", f"data={world}")
    assert (found["acc,none"], found["stale,none"]) == (1, 0)


@needs_harness
@pytest.mark.models
@pytest.mark.slow
@pytest.mark.skipif(
    not entry_points(group="dysk.commands", name="serve"),
    reason="dysk is not installed here: run make",
)
def test_a_service_is_a_chat_model_of_the_harness(world: Path, tmp_path: Path) -> None:
    with served(world) as client:
        url = client.base_url.join("/v1/chat/completions")
        found = evaluated(
            tmp_path / "out",
            *("--model", "local-chat-completions", "--apply_chat_template"),
            *("--model_args", f"base_url={url},model=dysk,tokenizer_backend=None"),
        )
    assert (found["acc,none"], found["stale,none"]) == (1, 0)


@needs_harness
def test_what_dysk_cannot_do_is_said(tmp_path: Path) -> None:
    from benchmarks.lm_eval.model import DyskModel

    wrong: list[dict[str, Any]] = [
        {},
        {"data": "a", "url": "b"},
        {"data": "a", "mode": "telepathy"},
    ]
    for options in wrong:
        with pytest.raises(BenchmarkError, match=r"give --model_args|choose among"):
            DyskModel(**options)
    with pytest.raises(BenchmarkError, match="choose tasks whose output_type"):
        DyskModel(data=str(tmp_path / "data")).loglikelihood([])
