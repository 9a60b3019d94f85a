"""``dysk backup``, ``restore`` and ``verify``, as a user calls them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.dysk.cli.calls import add, call, command, environment, read, succeed


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    add(data, "Kazakhstan", "capital", "Astana")
    succeed(data, "--graph", "other", "add", "Zembla", "capital", "Onhava")
    return data


def test_a_graph_is_backed_up_verified_and_restored(data: Path, tmp_path: Path) -> None:
    backup, new = str(tmp_path / "backup"), tmp_path / "new"
    shown = "default: 1 facts, revision 1\nother: 1 facts, revision 1\n"
    assert succeed(data, "backup", backup) == shown
    assert "default: whole: 1 facts, 1 versions, revision 1" in succeed(data, "verify", backup)
    assert succeed(new, "restore", backup) == shown
    assert "other: whole" in succeed(new, "verify")
    assert succeed(new, "export") == succeed(data, "export")


def test_the_global_option_names_one_graph(data: Path, tmp_path: Path) -> None:
    backup = str(tmp_path / "backup")
    record = read(data, "--graph", "other", "backup", backup)
    assert [each["graph"] for each in record["graphs"]] == ["other"]
    record = read(data, "restore", backup, "--as", "second")
    assert record["graphs"] == [{"graph": "second", "revision": 1, "facts": 1}]
    found = read(data, "--graph", "second", "verify")
    assert found == {
        "ok": True,
        "graphs": [
            {
                "graph": "second",
                "revision": 1,
                "facts": 1,
                "versions": 1,
                "unscrubbed": False,
                "problems": [],
            }
        ],
    }


def test_what_is_there_stays_and_the_status_says_so(data: Path, tmp_path: Path) -> None:
    backup = str(tmp_path / "backup")
    succeed(data, "backup", backup)
    for again in (call(data, "backup", backup), call(data, "restore", backup)):
        assert again.exit_code == 2
        assert "nothing is overwritten" in again.stderr
    assert call(data, "restore", str(tmp_path / "missing")).exit_code == 2
    assert call(tmp_path / "missing", "backup", str(tmp_path / "b")).exit_code == 5
    assert call(data, "--graph", "missing", "verify").exit_code == 3


def test_damage_is_shown_and_exits_with_1(data: Path) -> None:
    file = data / "graphs" / "other" / "graph.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("UPDATE versions SET until = 1")
    result = call(data, "verify")
    assert result.exit_code == 1
    assert "default: whole" in result.stdout
    assert "other: not whole\n  versions: the version of f1" in result.stdout
    result = call(data, "--output", "json", "verify")
    assert result.exit_code == 1
    assert not json.loads(result.stdout)["ok"]
    file.write_bytes(b"no database, but long enough to be looked at")
    assert "other: not whole\n  file: " in call(data, "verify").stdout


def test_a_backup_is_taken_while_an_import_writes(data: Path, tmp_path: Path) -> None:
    """Two real processes on one data folder; the import is held in the middle of its file."""
    importing = subprocess.Popen(
        command(data, "import", "-"),
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert importing.stdin is not None
    with importing.stdin as lines:
        for number in range(2_500):
            lines.write(f'{{"subject": "s{number}", "relation": "r", "object": "o"}}\n')
            if number == 2_200:
                lines.flush()
                record = read(data, "backup", str(tmp_path / "backup"))
    assert importing.wait(timeout=60) == 0
    assert importing.stdout is not None
    importing.stdout.close()
    # Batches are whole: what is there is the fact of the fixture and some thousands.
    assert record["graphs"][0]["facts"] % 1000 == 1
    assert "default: whole" in succeed(data, "verify", str(tmp_path / "backup"))
    assert "default: whole: 2501 facts" in succeed(data, "verify")
