"""A data folder: cheap to open, hard to break, and honest about what it cannot do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dysk.errors import DataFolderError
from dysk.workspace import Workspace
from graph import NotFound, StoreCorrupt, StoreUnavailable

ROOT = Path(__file__).parents[2]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path / "data") as workspace:
        yield workspace


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=120,
    )


# -- the folder and its graphs --------------------------------------------------------------------


def test_opening_writing_and_reading_load_no_model_library(tmp_path: Path) -> None:
    result = run(
        """
import sys
from dysk import Dysk
with Dysk.open(sys.argv[1]) as d:
    fact = d.add("Zembla", "king", "Charles").items[0].fact
    d.facts(subject="Zembla"), d.timeline("Zembla"), list(d.export_lines())
    d.erase(fact.id)
print([name for name in ("torch", "transformers", "faiss") if name in sys.modules])
""",
        tmp_path,
    )
    assert result.stdout.strip() == "[]", result.stderr


def test_the_default_graph_is_always_there(workspace: Workspace) -> None:
    assert workspace.graphs() == ["default"]
    assert workspace.graph().store.revision == 0
    assert workspace.graphs() == ["default"]


def test_a_graph_is_made_only_when_asked_for_and_is_the_same_object_then(
    workspace: Workspace,
) -> None:
    with pytest.raises(NotFound, match="films"):
        workspace.graph("films")
    films = workspace.graph("films", create=True)
    assert workspace.graph("films") is films
    assert workspace.graphs() == ["default", "films"]


def test_graphs_are_isolated_and_survive_reopening(tmp_path: Path) -> None:
    with Workspace(tmp_path) as workspace:
        workspace.graph("one", create=True).add("Zembla", "king", "Charles")
        workspace.graph("two", create=True).add("Borduria", "king", "Muskar")
    with Workspace(tmp_path) as workspace:
        assert [fact.object for fact in workspace.graph("one").facts()] == ["Charles"]
        assert [fact.object for fact in workspace.graph("two").facts()] == ["Muskar"]
        assert workspace.graph().facts() == []


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../evil", "a/b", "/etc", "a\\b", ".hidden", "-x", "a b", "a\0b", "é", "a\n",
     "x" * 65, "~", "a:b"],
)  # fmt: skip
def test_a_name_that_could_leave_the_folder_is_no_graph(workspace: Workspace, name: str) -> None:
    before = sorted(workspace.path.parent.rglob("*"))
    for refuse in (
        lambda: workspace.graph(name),
        lambda: workspace.graph(name, create=True),
        lambda: workspace.delete(name),
    ):
        with pytest.raises(NotFound, match=r"no graph's name|no graph"):
            refuse()
    assert sorted(workspace.path.parent.rglob("*")) == before


@pytest.mark.parametrize("name", ["a", "A.b-c_9", "9", "x" * 64, "con.v1"])
def test_letters_digits_and_a_few_marks_make_a_name(workspace: Workspace, name: str) -> None:
    workspace.graph(name, create=True).add("Zembla", "king", "Charles")
    assert name in workspace.graphs()


def test_other_folders_beside_the_graphs_are_none(workspace: Workspace) -> None:
    (workspace.path / "graphs" / ".trash").mkdir()
    (workspace.path / "graphs" / "notes.txt").write_text("")
    assert workspace.graphs() == ["default"]


def test_a_deleted_graph_is_gone_with_its_files(workspace: Workspace) -> None:
    films = workspace.graph("films", create=True)
    films.add("Alien", "director", "Scott")
    workspace.delete("films")
    assert not (workspace.path / "graphs" / "films").exists()
    assert workspace.graphs() == ["default"]
    with pytest.raises(NotFound):
        workspace.graph("films")
    with pytest.raises(NotFound):
        workspace.delete("films")
    with pytest.raises(StoreUnavailable):
        films.add("Alien", "director", "Scott")
    assert workspace.graph("films", create=True).facts() == []


def test_a_deleted_default_graph_is_there_again_empty(workspace: Workspace) -> None:
    workspace.delete("default")
    workspace.graph().add("Zembla", "king", "Charles")
    workspace.delete("default")
    assert workspace.graph().facts() == []


def test_a_damaged_graph_is_reported_left_alone_and_can_be_deleted(workspace: Workspace) -> None:
    workspace.graph("good", create=True).add("Zembla", "king", "Charles")
    damaged = workspace.path / "graphs" / "bad" / "graph.db"
    damaged.parent.mkdir()
    damaged.write_bytes(b"this is no database" * 99)
    with pytest.raises(StoreCorrupt):
        workspace.graph("bad")
    assert damaged.read_bytes() == b"this is no database" * 99
    assert len(workspace.graph("good").facts()) == 1
    workspace.delete("bad")
    assert "bad" not in workspace.graphs()


def test_closing_closes_every_graph_and_may_be_repeated(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    graph = workspace.graph()
    workspace.close()
    workspace.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        graph.facts()


# -- folders that cannot be used ------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["", "below"])
def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path, inside: str) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    with pytest.raises(DataFolderError, match="--data"):
        Workspace(file / inside)
    assert file.read_text() == "kept"


READ_ONLY = """
import os, sys
from dysk.errors import DyskError
from dysk.workspace import Workspace
from graph import GraphError
if os.getuid() == 0:
    os.setuid(65534)
with Workspace(sys.argv[1]) as workspace:
    for attempt in (
        lambda: Workspace(sys.argv[1] + "/new"),
        lambda: workspace.graph(),
        lambda: workspace.graph("new", create=True),
        lambda: workspace.delete("default"),
    ):
        try:
            attempt()
        except (GraphError, DyskError) as error:
            print(error)
    print(workspace.graphs(), workspace.readiness()["store"])
"""


def test_a_read_only_folder_says_what_cannot_be_done_in_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Workspace(data) as workspace:
        workspace.graph().add("Zembla", "king", "Charles")
    # Readable for the user that the script drops to, who owns nothing here.
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    for path in (data, *data.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        result = run(READ_ONLY, data)
    finally:
        for path in (data, *data.rglob("*")):
            path.chmod(0o755)
    assert result.returncode == 0, result.stderr
    folder_, opened, created, deleted, state = result.stdout.splitlines()
    assert "cannot be used as a data folder" in folder_
    assert "read-only" in opened
    assert "cannot be made" in created
    assert "cannot be removed" in deleted
    assert state.startswith("['default'] ")
    assert "read-only" in state


FULL = """
import resource, signal, sys
from dysk.workspace import Workspace
from graph import StoreUnavailable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Workspace(sys.argv[1]) as workspace:
    graph = workspace.graph()
    graph.add("Zembla", "king", "Charles")
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
    try:
        for n in range(999):
            graph.add(f"Land {n}", "king", "x" * 1_500)
    except StoreUnavailable as error:
        print(error)
    print(workspace.readiness()["store"], [fact.object for fact in graph.facts(limit=1)])
with Workspace(sys.argv[1]) as workspace:
    print(workspace.graph().facts(limit=1)[0].object)
"""


def test_a_full_disk_is_said_and_what_was_acknowledged_is_kept(tmp_path: Path) -> None:
    result = run(FULL, tmp_path)
    assert result.returncode == 0, result.stderr
    error, after, reopened = result.stdout.splitlines()
    assert "full" in error
    assert after == "ok ['Charles']"
    assert reopened == "Charles"


def test_a_store_that_cannot_be_read_makes_the_workspace_not_ready(tmp_path: Path) -> None:
    store = tmp_path / "graphs" / "default" / "graph.db"
    store.parent.mkdir(parents=True)
    store.write_bytes(b"this is no database" * 99)
    with Workspace(tmp_path) as workspace:
        assert "not a SQLite database" in workspace.readiness()["store"]
