"""Promise 7, byte for byte: after an erasure nothing below the data folder has the fact's text, and
neither has what is written from then on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dysk import Dysk, Workspace
from dysk.backup import back_up, restore
from dysk.erasure import bytes_remain
from graph import SetAliases
from tests.dysk.cli.calls import add, call, read, run, succeed
from tests.dysk.engines import added

SECRETS = ("secret object", "secret wording", "secret source", "secret note", "secret byname")


def written(*folders: Path) -> bytes:
    """Every byte of every file below the folders."""
    return b"".join(
        file.read_bytes()
        for folder in folders
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    )


def left(text: bytes) -> list[str]:
    """The secrets that are still to be read."""
    return [secret for secret in SECRETS if secret.encode() in text]


def keep_secrets(d: Dysk) -> str:
    """A fact whose every part is secret but its subject and relation; returns its id."""
    fact_id = added(
        d,
        "Zembla",
        "treasure",
        "secret wording",
        source="secret source",
        attributes={"note": "secret note"},
    )
    d.correct(fact_id, object="secret object")
    d.apply([SetAliases("secret object", ("secret byname",))])
    return fact_id


@contextmanager
def reading_from_before(file: Path) -> Iterator[None]:
    """Another tool that began to read the file and does not let go."""
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM entities").fetchone()
        yield


@pytest.mark.usefixtures("small_models")
def test_promise_7_no_byte_is_left_after_asks_and_searches_and_none_comes_back(
    tmp_path: Path,
) -> None:
    data, outside = tmp_path / "data", tmp_path / "outside"
    outside.mkdir()
    with Workspace(data) as workspace:
        d, other = workspace.graph(), workspace.graph("other", create=True)
        fact_id = keep_secrets(d)
        other.add("Borduria", "treasure", "plain object")
        assert d.search("treasure of Zembla")
        assert d.ask("What is the treasure of Zembla?", max_tokens=2).evidence
        back_up(data, outside / "before")
        assert left(written(data)) == left(written(outside)) == list(SECRETS)
        d.erase(fact_id)
        assert left(written(data)) == []
        for format in ("jsonl", "csv"):
            lines = "\n".join(d.export_lines(format=format))
            (outside / f"export.{format}").write_text(lines, encoding="utf-8")
        back_up(data, outside / "after")
        assert left(written(outside / "after")) == []
        assert left(repr([*d.changes(), *d.facts()]).encode()) == []
        assert b"plain object" in written(data)
    assert left(written(data)) == []
    assert [left(file.read_bytes()) for file in outside.glob("export.*")] == [[], []]
    # A backup from before is a copy of its time: what was erased since is in it.
    restore(outside / "before", tmp_path / "old")
    with Dysk.open(tmp_path / "old") as d:
        d.erase(fact_id)
    assert left(written(tmp_path / "old")) == []


def test_promise_7_while_another_tool_reads_the_erasure_waits_for_it_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.sqlite_scrub.PATIENCE_SECONDS", 0.0)
    with Dysk.open(tmp_path) as d:
        fact_id = keep_secrets(d)
    file = tmp_path / "graphs" / "default" / "graph.db"
    with reading_from_before(file):
        result = call(tmp_path, "erase", fact_id)
        assert result.exit_code == 0
        assert "another program reads the graph's file from before" in result.stderr
        assert left(written(tmp_path)) != []
        assert "bytes of erased facts are still there" in succeed(tmp_path, "verify")
        assert succeed(tmp_path, "export") == ""
        # Not even now does a backup have them.
        succeed(tmp_path, "backup", str(tmp_path / "backup"))
        assert left(written(tmp_path / "backup")) == []
    assert read(tmp_path, "verify")["ok"]
    assert left(written(tmp_path)) == []
    with Dysk.open(tmp_path) as d:
        assert not bytes_remain(d.store)


def test_promise_7_an_erasure_by_command_leaves_no_byte_and_says_nothing_more(
    tmp_path: Path,
) -> None:
    fact_id = add(tmp_path, "Zembla", "treasure", "secret object", "--source", "secret source")
    succeed(tmp_path, "correct", fact_id, "object=secret wording")
    succeed(tmp_path, "add", "Zembla", "capital", "Onhava")
    result = run(tmp_path, "erase", fact_id)
    assert (result.returncode, result.stderr) == (0, "")
    assert left(written(tmp_path)) == []
    assert "Onhava" in succeed(tmp_path, "export")
