"""What the command loads, which verbs it has, and that the docs name them all."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from tests.dysk.cli.calls import ROOT, environment, read, run, run_python, succeed

HEAVY = ("torch", "transformers", "faiss", "sentence_transformers")
LOADED = """
import sys
from dysk.cli import app
status = app(sys.argv[1:], standalone_mode=False)
heavy = [name for name in {heavy!r} if name in sys.modules]
print(status, heavy, file=sys.stderr)
"""

OPTIONS = """
import json, typer
from dysk.cli import app
root = typer.main.get_command(app)
with root.make_context("dysk", ["config"]) as context:
    verbs = {name: root.get_command(context, name) for name in root.list_commands(context)}
print(json.dumps({
    name: sorted(o for p in verb.params for o in p.opts if o.startswith("--") and o != "--help")
    for name, verb in verbs.items()
}))
"""

LIGHT = [
    ("--help",),
    ("--version",),
    ("add", "UK", "capital", "London"),
    ("relation", "capital", "--cardinality", "one"),
    ("import", "-"),
    ("export",),
    ("changes",),
    ("config", "show"),
    ("ask", "--help"),
    ("serve", "--help"),
    ("bench", "--help"),
]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Surroundings in which the entry points that pyproject.toml declares are installed."""
    site = tmp_path_factory.mktemp("site")
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    information = site / "declared-0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: declared\nVersion: 0\n")
    sections = [
        f"[{group}]\n" + "".join(f"{name} = {where}\n" for name, where in members.items())
        for group, members in declared.items()
    ]
    sections.append("absent = no_such_package.cli:app\n")
    (information / "entry_points.txt").write_text("".join(sections))
    return environment(PYTHONPATH=f"{ROOT}:{site}")


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_help_and_the_verbs_that_need_no_model_load_none(
    tmp_path: Path, installed: dict[str, str], arguments: tuple[str, ...]
) -> None:
    result = run_python(
        ["-c", LOADED.format(heavy=HEAVY), "--data", str(tmp_path), *arguments],
        env=installed,
        input="",
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.splitlines()[-1].endswith("[]"), result.stderr


def verbs(shown: str) -> set[str]:
    """The names that stand first in the rows of the help's command boxes."""
    _, _, boxes = shown.partition("─ Ask ─")
    return set(re.findall(r"^│ ([a-z]+) ", boxes, re.MULTILINE))


def test_contributed_verbs_are_mounted_and_one_whose_module_is_absent_is_left_out(
    tmp_path: Path, installed: dict[str, str]
) -> None:
    shown = run(tmp_path, "--help", env=installed).stdout
    assert {"serve", "bench", "ask", "add"} <= verbs(shown)
    assert "absent" not in verbs(shown)
    assert run(tmp_path, "absent", env=installed).returncode == 2


def test_the_docs_list_the_verbs_that_the_help_lists(
    tmp_path: Path, installed: dict[str, str]
) -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    documented = re.findall(r"^\| `dysk ([a-z]+)", page, re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) == verbs(run(tmp_path, "--help", env=installed).stdout)


def test_the_docs_name_every_option_that_a_verb_has_and_no_other(
    installed: dict[str, str],
) -> None:
    listed = run_python(["-c", OPTIONS], env=installed)
    existing = json.loads(listed.stdout)
    page = (ROOT / "docs" / "cli.md").read_text()
    for verb, rest in re.findall(r"^\| `dysk ([a-z]+)([^`]*)`", page, re.MULTILINE):
        documented = sorted(set(re.findall(r"--[a-z-]+", rest)))
        assert documented == existing[verb], verb


def test_the_version_is_one_line_on_stdout(tmp_path: Path) -> None:
    result = run(tmp_path, "--version")
    assert result.returncode == 0
    assert re.fullmatch(r"dysk .+\n", result.stdout)


def test_config_says_where_each_setting_comes_from(tmp_path: Path) -> None:
    shown = read(tmp_path, "--graph", "films", "config", "show")
    assert shown["data"] == {"value": str(tmp_path), "from": "--data"}
    assert shown["graph"] == {"value": "films", "from": "--graph"}
    assert shown["encoder"]["from"] == "default"
    assert str(tmp_path) in succeed(tmp_path, "config", "show")


def test_the_environment_sets_what_no_option_does(tmp_path: Path) -> None:
    surroundings = environment(
        DYSK_DATA=str(tmp_path / "from-environment"),
        DYSK_MODEL="some/model",
        DYSK_CACHE=str(tmp_path / "cache"),
    )
    result = run_python(
        ["-m", "dysk", "--model", "other/model", "--output", "json", "config", "show"],
        env=surroundings,
    )
    shown = json.loads(result.stdout)
    assert shown["data"] == {"value": str(tmp_path / "from-environment"), "from": "DYSK_DATA"}
    assert shown["model"] == {"value": "other/model", "from": "--model"}
    assert shown["cache"] == {"value": str(tmp_path / "cache"), "from": "DYSK_CACHE"}
