"""What is backed up comes back as it was, and nothing is overwritten on the way."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dysk import Dysk, Workspace
from dysk.backup import MANIFEST, back_up, graphs_in, restore
from dysk.errors import BackupError, DataFolderError
from dysk.soundness import verify_backup, verify_data
from graph import Add, NotFound, StoreCorrupt, migrations
from tests.dysk.engines import added


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two graphs."""
    data = tmp_path / "data"
    with Workspace(data) as workspace:
        for name in ("default", "other"):
            d = workspace.graph(name, create=True)
            d.add("Zembla", "king", f"Charles of {name}", aliases=["Nova Zembla"])
            d.correct(added(d, "Zembla", "capital", "Onava"), object="Onhava")
    return data


def contents(data: Path) -> dict[str, Any]:
    """All that a reader can see of each graph."""
    with Workspace(data) as workspace:
        return {
            name: (
                workspace.graph(name).changes(),
                list(workspace.graph(name).export_lines(format="jsonl")),
            )
            for name in workspace.graphs()
        }


def everything_in(folder: Path) -> dict[str, bytes]:
    """The files below a folder, less the empty log that a mere reader of a store leaves."""
    return {
        str(file): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and not file.name.endswith(("-shm", "-wal"))
    }


def test_every_graph_comes_back_as_it_was(data: Path, tmp_path: Path) -> None:
    made = back_up(data, tmp_path / "backups" / "monday")
    assert [(each.graph, each.revision, each.facts) for each in made] == [
        ("default", 3, 2),
        ("other", 3, 2),
    ]
    assert graphs_in(tmp_path / "backups" / "monday") == made
    restored = restore(tmp_path / "backups" / "monday", tmp_path / "new")
    assert restored == {each.graph: each for each in made}
    assert contents(tmp_path / "new") == contents(data)
    assert all(not found.problems for found in verify_data(tmp_path / "new").values())


def test_a_backup_holds_the_stores_and_what_they_had_and_no_vectors(
    data: Path, tmp_path: Path
) -> None:
    (data / "graphs" / "default" / "vectors.db").write_bytes(b"vectors")
    back_up(data, tmp_path / "backup")
    names = sorted(file.name for file in (tmp_path / "backup").iterdir())
    assert names == [MANIFEST, "default.db", "other.db"]
    manifest = json.loads((tmp_path / "backup" / MANIFEST).read_text())
    assert manifest["format"] == 1
    assert manifest["made_at"] > "2026"
    assert [each["graph"] for each in manifest["graphs"]] == ["default", "other"]


@pytest.mark.usefixtures("small_models")
def test_a_restored_graph_is_found_by_search_though_its_vectors_were_not_kept(
    data: Path, tmp_path: Path
) -> None:
    back_up(data, tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "new")
    with Dysk.open(tmp_path / "new") as d:
        assert d.search("king of Zembla")[0].object == "Charles of default"


def test_one_graph_is_backed_up_and_restored_alone_and_under_a_new_name(
    data: Path, tmp_path: Path
) -> None:
    assert [each.graph for each in back_up(data, tmp_path / "one", "other")] == ["other"]
    restore(tmp_path / "one", data, name="copy")
    back_up(data, tmp_path / "all")
    restore(tmp_path / "all", data, "other", name="second")
    found = contents(data)
    assert found["second"] == found["copy"] == found["other"]
    with pytest.raises(BackupError, match="3 graphs"):
        restore(tmp_path / "all", data, name="third")
    with pytest.raises(NotFound, match="'missing' in the backup"):
        restore(tmp_path / "all", data, "missing")
    with pytest.raises(NotFound, match="no graph 'missing'"):
        back_up(data, tmp_path / "nothing", "missing")


def test_a_backup_overwrites_nothing(data: Path, tmp_path: Path) -> None:
    back_up(data, tmp_path / "backup")
    before = everything_in(tmp_path)
    (tmp_path / "file").write_text("dear")
    for taken in (tmp_path / "backup", data, tmp_path / "file"):
        with pytest.raises(BackupError, match="nothing is overwritten"):
            back_up(data, taken)
    assert everything_in(tmp_path) == before | {str(tmp_path / "file"): b"dear"}


def test_an_empty_folder_may_be_given(data: Path, tmp_path: Path) -> None:
    (tmp_path / "mounted").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mounted")
    back_up(data, tmp_path / "link")
    assert (tmp_path / "mounted" / MANIFEST).exists()


def test_a_restore_overwrites_no_graph_and_then_restores_none(data: Path, tmp_path: Path) -> None:
    back_up(data, tmp_path / "backup")
    new = tmp_path / "new"
    with Dysk.open(new, graph="other") as d:
        d.add("Borduria", "king", "Muskar")
    before = everything_in(new)
    with pytest.raises(BackupError, match="other is there already"):
        restore(tmp_path / "backup", new)
    assert everything_in(new) == before
    with Workspace(new) as workspace:
        assert not workspace.folder("default").exists()


@pytest.mark.parametrize("step", ["backing up other", "restoring other", "checking other"])
def test_what_is_broken_off_leaves_nothing_behind(data: Path, tmp_path: Path, step: str) -> None:
    def stop(message: str) -> None:
        if message.startswith(step):
            raise KeyboardInterrupt

    with Dysk.open(data, graph="other") as d:
        d.apply([Add(f"land {n}", "motto", f"word {n}") for n in range(3000)])
    back_up(data, tmp_path / "backup")
    before = everything_in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        if step.startswith("backing"):
            back_up(data, tmp_path / "second", progress=stop)
        else:
            restore(tmp_path / "backup", tmp_path / "new", progress=stop)
    assert everything_in(tmp_path) == before
    assert sorted(folder.name for folder in tmp_path.iterdir()) in (
        ["backup", "data"],
        ["backup", "data", "new"],
    )


def test_a_byte_that_changed_is_noticed(data: Path, tmp_path: Path) -> None:
    back_up(data, tmp_path / "backup")
    file = tmp_path / "backup" / "other.db"
    file.write_bytes(file.read_bytes().replace(b"Onhava", b"Onhaga"))
    found = verify_backup(tmp_path / "backup")
    assert found["default"].problems == ()
    assert "changed or damaged" in found["other"].problems[0].detail
    with pytest.raises(StoreCorrupt, match="changed or damaged"):
        restore(tmp_path / "backup", tmp_path / "new")
    assert contents(tmp_path / "new") == {"default": ([], [])}
    restore(tmp_path / "backup", tmp_path / "new2", "default")


def test_a_damaged_store_is_backed_up_and_refused_where_it_is_read(
    data: Path, tmp_path: Path
) -> None:
    """A backup copies what there is, since a damaged graph is better than none."""
    with Workspace(data) as workspace:
        store: Any = workspace.graph("other").store
        store._writer.execute("UPDATE versions SET begins = begins + 1")
    assert verify_data(data)["other"].problems
    back_up(data, tmp_path / "backup")
    assert verify_backup(tmp_path / "backup")["other"].problems
    with pytest.raises(StoreCorrupt, match="looked up by other dates"):
        restore(tmp_path / "backup", tmp_path / "new")


def test_a_backup_of_an_older_format_is_brought_up_to_date(tmp_path: Path) -> None:
    file = tmp_path / "data" / "graphs" / "default" / "graph.db"
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as connection:
        for statement in migrations._STEPS[0]:
            connection.execute(statement)
        connection.executescript(
            f"""PRAGMA application_id = {migrations.APPLICATION_ID}; PRAGMA user_version = 1;
                INSERT INTO commits VALUES (1, 1763985600);
                INSERT INTO relations VALUES (1, 'king');
                INSERT INTO settings VALUES (1, 1, 'one', NULL);
                INSERT INTO changes (revision, position, kind, relation)
                    VALUES (1, 0, 'relation', 1)"""
        )
    (made,) = back_up(tmp_path / "data", tmp_path / "backup")
    assert made.revision == 1
    assert "older dysk" in verify_backup(tmp_path / "backup")["default"].problems[0].detail
    restore(tmp_path / "backup", tmp_path / "new")
    assert verify_data(tmp_path / "new")["default"].problems == ()
    with Dysk.open(tmp_path / "new") as d:
        assert d.store.snapshot().relation("king").cardinality == "one"


def test_what_is_no_backup_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="is no backup"):
        restore(data, tmp_path / "new")
    back_up(data, tmp_path / "backup")
    manifest = tmp_path / "backup" / MANIFEST
    whole = manifest.read_text()
    for text, words in (
        (whole[:-20], "damaged"),
        ("[]", "damaged"),
        (whole.replace('"file"', '"fail"'), "damaged"),
        (whole.replace('"format": 1', '"format": 2'), "newer dysk"),
    ):
        manifest.write_text(text)
        with pytest.raises(BackupError, match=words):
            restore(tmp_path / "backup", tmp_path / "new")
    manifest.write_text(whole)
    (tmp_path / "backup" / "default.db").unlink()
    with pytest.raises(BackupError, match="cannot be copied"):
        restore(tmp_path / "backup", tmp_path / "new")
    assert verify_backup(tmp_path / "backup")["default"].problems


def test_a_missing_data_folder_is_not_made(tmp_path: Path) -> None:
    for call in (
        lambda: back_up(tmp_path / "no", tmp_path / "b"),
        lambda: verify_data(tmp_path / "no"),
    ):
        with pytest.raises(DataFolderError, match="no data folder"):
            call()
    assert list(tmp_path.iterdir()) == []
