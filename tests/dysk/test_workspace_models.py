"""The models of a data folder: loaded once, when they are needed; what goes wrong is said."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dysk import language_model, models
from dysk.attention import heads as heads_module
from dysk.errors import ModelUnavailable
from dysk.ops import native
from dysk.retrieval import encoder as encoder_module
from dysk.retrieval.encoder import HashEncoder
from dysk.workspace import Workspace
from graph import StoreUnavailable
from tests.contracts.tiny_model import HEADS, save_tiny_model


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path / "data") as workspace:
        yield workspace


class Loads:
    """Stand-ins for what loads slowly, and how often each was loaded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.loaded: list[str] = []
        self.failing: set[str] = set()
        save_tiny_model(folder)
        real = language_model.LanguageModel

        def tiny(found: Path) -> language_model.LanguageModel:
            self._load("model")
            return real(found, memory_bytes=1 << 20)

        def hashes(_: Path) -> HashEncoder:
            self._load("encoder")
            return HashEncoder(64)

        def found(*_: Any) -> Path:
            return folder

        monkeypatch.setattr(models, "find_language_model", found)
        monkeypatch.setattr(models, "find_encoder", found)
        monkeypatch.setattr(language_model, "LanguageModel", tiny)
        monkeypatch.setattr(encoder_module, "Encoder", hashes)
        monkeypatch.setattr(heads_module, "heads_for", lambda *_: HEADS)

    def _load(self, part: str) -> None:
        time.sleep(0.05)  # long enough for another thread to come in between
        if part in self.failing:
            raise OSError(f"{part} weights are damaged")
        self.loaded.append(part)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Loads:
    return Loads(monkeypatch, tmp_path / "tiny")


def test_warming_twice_loads_once(workspace: Workspace, loads: Loads) -> None:
    assert workspace.readiness() == {"store": "ok", "encoder": "not loaded", "model": "not loaded"}
    workspace.warm()
    workspace.warm()
    assert sorted(loads.loaded) == ["encoder", "model"]
    assert workspace.readiness() == {"store": "ok", "encoder": "ok", "model": "ok"}


def test_threads_that_load_at_once_load_once(workspace: Workspace, loads: Loads) -> None:
    workspace.graph().add("Zembla", "king", "Charles")
    threads = [
        threading.Thread(target=work)
        for work in (
            workspace.warm,
            workspace.warm,
            lambda: workspace.graph().search("king of Zembla"),
            lambda: workspace.graph().ask("Who is the king of Zembla?", max_tokens=1),
        )
    ]
    for thread in threads:
        thread.start()
    states = set()
    while any(thread.is_alive() for thread in threads):
        states.add(workspace.readiness()["model"])
        time.sleep(0.01)
    assert sorted(loads.loaded) == ["encoder", "model"]
    assert states <= {"not loaded", "loading", "ok"}


def test_the_first_ask_waits_for_no_compiler(
    workspace: Workspace, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(native, "load", lambda: told.append("built") or True)
    workspace.warm(told.append)
    assert told.index("getting the CPU kernel ready") < told.index("built")
    assert told.count("built") == 1


def test_a_required_kernel_that_cannot_be_had_is_named(
    workspace: Workspace, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> bool:
        raise native.NativeKernelMissing("there is no C++ compiler on the path")

    monkeypatch.setattr(native, "load", missing)
    with pytest.raises(ModelUnavailable, match=r"DYSK_NATIVE=require.*no C\+\+ compiler"):
        workspace.warm()
    assert "DYSK_NATIVE" in workspace.readiness()["model"]


def test_warming_indexes_every_graph_and_says_so(tmp_path: Path, loads: Loads) -> None:
    with Workspace(tmp_path / "data") as workspace:
        for name in ("one", "two"):
            workspace.graph(name, create=True).add("Zembla", "king", "Charles")
    damaged = tmp_path / "data" / "graphs" / "bad"
    damaged.mkdir()
    (damaged / "graph.db").write_bytes(b"this is no database" * 99)
    with Workspace(tmp_path / "data") as workspace:
        said: list[str] = []
        workspace.warm(said.append)
        for name in ("one", "two"):
            assert workspace.graph(name).syncer().watermark == 1
            assert f"indexing graph {name}: 2 of 2 names" in said
    with Workspace(tmp_path / "data") as workspace:
        said = []
        workspace.warm(said.append, graphs=["two"])
        assert not [line for line in said if "one" in line]


def test_a_part_that_fails_says_why_and_is_tried_again(workspace: Workspace, loads: Loads) -> None:
    for part in ("encoder", "model"):
        loads.failing = {part}
        with pytest.raises(ModelUnavailable, match=f"{part} weights are damaged.*--{part}"):
            workspace.warm()
        assert f"{part} weights are damaged" in workspace.readiness()[part]
        workspace.graph().add("Zembla", "king", "Charles")  # writes need no model
    loads.failing = set()
    workspace.warm()
    assert set(workspace.readiness().values()) == {"ok"}


def test_deleting_a_graph_takes_its_blocks_out_of_the_shared_memory(
    workspace: Workspace, loads: Loads
) -> None:
    for name in ("one", "two"):
        graph = workspace.graph(name, create=True)
        graph.add("Zembla", "king", f"Charles {name}")
        answer = graph.ask("Who is the king of Zembla?", max_tokens=1)
        assert answer.evidence
        assert (workspace.path / "graphs" / name / "vectors.db").is_file()
    memory = workspace.model().memory
    assert memory.stats.blocks == 2
    workspace.delete("one")
    assert memory.stats.blocks == 1
    assert workspace.graph("two").ask("Who is the king of Zembla?", max_tokens=1).evidence


def test_no_thread_outlives_its_workspace(tmp_path: Path, loads: Loads) -> None:
    before = set(threading.enumerate())
    with Workspace(tmp_path / "data") as workspace:
        workspace.graph().add("Zembla", "king", "Charles")
        graph = workspace.graph()
        graph.search("Zembla")
        assert "dysk-sync" in {thread.name for thread in set(threading.enumerate()) - before}
    assert set(threading.enumerate()) <= before
    with pytest.raises(StoreUnavailable):
        graph.search("Zembla")
    assert set(threading.enumerate()) <= before
