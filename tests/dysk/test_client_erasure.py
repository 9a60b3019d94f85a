"""Promise 7 through ``Dysk``: erased is gone, whoever erases and whatever is loaded."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from dysk import Dysk
from dysk.language_model import LanguageModel
from dysk.retrieval import vector_file
from dysk.retrieval.vector_file import key_of
from graph import Erase, StoreUnavailable
from tests.dysk.engines import QUESTION, added


def vectors(d: Dysk) -> bytes:
    path = d._workspace.vector_file(d.name)
    return path.read_bytes() if path.exists() else b""


@pytest.mark.usefixtures("small_models")
def test_promise_7_an_erasure_by_a_fresh_process_reaches_the_vectors_of_its_names(
    tmp_path: Path,
) -> None:
    """The index was built by an earlier process; this one never loads it."""
    with Dysk.open(tmp_path) as d:
        fact_id = added(d, "Zembla", "secret regent", "Charles")
        d.correct(fact_id, subject="Nova Zembla")
        d.add("Borduria", "king", "Muskar")
        d.search("Zembla")
        for name in ("Zembla", "Nova Zembla", "secret regent", "Borduria"):
            assert key_of(name) in vectors(d)
    with Dysk.open(tmp_path) as d:
        d.apply([Erase(fact_id)], dry_run=True)
        assert key_of("Zembla") in vectors(d)
        d.erase(fact_id)
        assert d._syncer is None
        for name in ("Zembla", "Nova Zembla", "secret regent"):
            assert key_of(name) not in vectors(d)
        assert key_of("Borduria") in vectors(d)
        assert [e.object for e in d.search("king of Borduria")] == ["Muskar"]
        assert b"Zembla" not in b"".join(
            path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
        )


def test_promise_7_an_erasure_reaches_everything_that_is_loaded(
    d: Dysk, tiny_model: LanguageModel
) -> None:
    fact_id = added(d, "Zembla", "king", "Charles")
    assert d.ask(QUESTION, max_tokens=1).evidence
    assert tiny_model.memory.stats.blocks == 1
    d.erase(fact_id)
    syncer = d.syncer()
    assert len(syncer.index) == 0
    assert syncer.mentions.find(QUESTION) == []
    assert tiny_model.memory.stats.blocks == 0
    assert key_of("Zembla") not in vectors(d)
    assert key_of("Zembla") not in syncer.encoder._recent
    assert d.search("king of Zembla") == []
    assert d.ask(QUESTION).status == "abstained"


@pytest.mark.usefixtures("small_models")
def test_promise_7_an_erasure_by_another_process_reaches_a_follower(tmp_path: Path) -> None:
    with Dysk.open(tmp_path) as follower, Dysk.open(tmp_path) as other:
        fact_id = added(other, "Zembla", "king", "Charles")
        assert follower.search("king of Zembla")
        receipt = other.erase(fact_id)
        follower.syncer().catch_up(receipt.revision)
        assert len(follower.syncer().index) == 0
        assert key_of("Zembla") not in vectors(follower)


@pytest.mark.usefixtures("small_models")
def test_promise_7_an_erasure_that_cannot_reach_the_vectors_does_not_happen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Dysk.open(tmp_path) as d:
        fact_id = added(d, "Zembla", "king", "Charles")
        d.search("Zembla")
    monkeypatch.setattr(vector_file, "_BUSY_SECONDS", 0.01)
    with Dysk.open(tmp_path) as d:
        other = sqlite3.connect(d._workspace.vector_file("default"))
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailable, match="locked"):
            d.erase(fact_id)
        assert d.get(fact_id).object == "Charles"
        other.close()
        d.erase(fact_id)
        assert key_of("Zembla") not in vectors(d)
