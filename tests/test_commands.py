"""What the pages tell readers to type is typed here: every shell block and Python example.

The quickstart and the first example of the README are run by ``tests/test_docs.py``. A command that
takes long, or needs what no test machine has, is named in ``ELSEWHERE`` with what runs it smaller.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.speed.write import served
from tests.test_docs import NAMES, ROOT, blocks, code_lines, needs_models

HERE = {
    "README.md",
    *(f"docs/{page}.md" for page in ("cli", "deployment", "operations", "security", "service")),
    "docs/quickstart.md",
}
ELSEWHERE = {
    "make": ".ci/run",
    "pre-commit install": ".pre-commit-config.yaml",
    "dysk bench speed soak": "tests/benchmarks/speed/test_soak.py",
    "dysk bench": "tests/benchmarks/test_cli.py",
    "dysk train": "tests/dysk/cli/test_train.py",
    "python -m benchmarks.abstention": "tests/benchmarks/test_abstention.py",
    "python -m benchmarks.lm_eval": "tests/benchmarks/lm_eval",
    "pip install 'dysk[neo4j]'": "tests/test_project.py",
    "dysk --graph-url": "tests/graph/neo4j/test_workspace.py",
    "DYSK_GRAPH_URL=": "tests/graph/neo4j/test_workspace.py",
    "NEO4J_URI=": "tests/graph/neo4j/test_contract.py",
    "python -m pytest": ".ci/run",
    "DYSK_SCREENSHOTS=": "tests/service/page/test_story.py",
    "python -m tests.graph.faults.kill": "tests/graph/faults/test_kill.py",
    "python -m tests.graph.interchange.memory": "tests/graph/interchange/memory.py",
    "python -m tests.graph.interchange.fuzz": "tests/graph/interchange/fuzz.py",
}
COMMAND = re.compile(r"(?:[A-Z_0-9]+=\S+ )*(?:dysk|python|pip|make|curl|pre-commit) ")
SERVES = re.compile(r"\bdysk (.* )?serve\b|-m service\b")
SERVER = "http://127.0.0.1:8000"
NO_MODEL = {"DYSK_MODEL": "/no/such/model", "DYSK_ENCODER": "/no/such/encoder"}
SHELL = """
set -euo pipefail
curl() {
    if [ "$1" = -N ]; then  # the feed that never ends
        command curl --max-time 2 "$@" || [ $? = 28 ]
    else
        command curl --fail-with-body --no-progress-meter "$@"
    fi
    echo
}
"""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which ``dysk`` and ``python`` are those of this source tree."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, call in (("python", ""), ("dysk", " -m dysk")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}"{call} "$@"\n')
        program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DYSK_")}
    yield kept | {
        "PATH": f"{programs}:{kept['PATH']}",
        "PYTHONPATH": str(ROOT),
        "DYSK_DATA": str(tmp_path / "data"),
        "NO_PROXY": "127.0.0.1",
        "COLUMNS": "200",
    }


def typed(script: str, folder: Path, environment: dict[str, str]) -> str:
    """What bash prints when a script is typed into it; each command has to succeed."""
    done = subprocess.run(
        ["bash", "-c", SHELL + script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=280,
    )
    assert done.returncode == 0, (script, done.stdout)
    return done.stdout


def commands(name: str) -> list[str]:
    """The lines after the prompts of a page's console blocks."""
    return re.findall(r"^\$ (.*)", "".join(blocks(name, "console")), re.MULTILINE)


def test_every_command_in_a_block_is_run_here_or_elsewhere() -> None:
    left = set()
    for name in NAMES:
        kinds = ("sh",) if name in HERE else ("", "sh", "console")
        for line in "".join(blocks(name, *kinds)).splitlines():
            command = line.removeprefix("$ ").replace(".venv/bin/", "")
            here = name in HERE and (command.startswith("curl ") or SERVES.search(command))
            if COMMAND.match(command) and not here:
                runs = [where for start, where in ELSEWHERE.items() if command.startswith(start)]
                assert runs, (name, command)
                assert (ROOT / runs[0]).exists(), runs[0]
                left.add(runs[0])
    assert len(left) > 5


def test_a_backup_is_made_verified_and_restored(tmp_path: Path, shell: dict[str, str]) -> None:
    fact = "dysk --data world.dysk add UK capital London\n"
    keeping = [line for line in commands("docs/operations.md") if "doctor" not in line]
    printed = typed(fact + "\n".join(keeping), tmp_path, shell)
    assert "monday" in printed
    assert (tmp_path / "backups" / "2026-11-24" / "backup.json").is_file()
    timeline = typed("dysk --data elsewhere.dysk timeline UK", tmp_path, shell)
    assert "London" in timeline


def test_keys_are_made_listed_and_revoked(tmp_path: Path, shell: dict[str, str]) -> None:
    create, listing, revoke = commands("docs/security.md")
    made = typed(f"{create}\n{listing}", tmp_path, shell)
    (key,) = set(re.findall(r"\bk[0-9a-f]{8}\b", made))
    assert "importer" in made
    typed(re.sub(r"k[0-9a-f]{8}", key, revoke), tmp_path, shell)


@pytest.mark.parametrize(
    ("page", "least"), [("docs/service.md", 3), ("docs/deployment.md", 1), ("README.md", 1)]
)
def test_each_way_to_serve_listens_and_stops(
    page: str, least: int, tmp_path: Path, shell: dict[str, str]
) -> None:
    lines = [*"".join(blocks(page, "sh")).splitlines(), *commands(page)]
    serving = [line for line in lines if SERVES.search(line)]
    assert len(serving) == least
    before = [line for line in commands(page) if " keys " in line]
    typed("\n".join(before), tmp_path, shell)
    for line in serving:
        line = line.replace(".venv/bin/", "").replace("=/data", f"={tmp_path / 'other'}")
        line = line.partition("#")[0].replace("--port 9000", "--port 0")
        with subprocess.Popen(
            ["bash", "-c", f"exec env {line}"],
            cwd=tmp_path,
            env=shell | NO_MODEL | {"DYSK_PORT": "0"},
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as process:
            assert process.stderr is not None
            said = []
            for each in process.stderr:
                said.append(each)
                if "dysk listens on" in each:
                    process.send_signal(signal.SIGTERM)
                    break
            said += process.stderr.readlines()
        assert process.returncode == 0, said
        assert "dysk has stopped" in said[-1]


@pytest.mark.models
@needs_models
def test_the_command_line_page_is_typed_from_top_to_bottom(
    tmp_path: Path, shell: dict[str, str]
) -> None:
    lines = "\n".join(commands("docs/cli.md")).replace(" --follow", "").replace("…", "echo $commit")
    printed = typed(lines, tmp_path, shell)
    answers = re.findall(r"The head of government of .* is (.*)\.", printed)
    assert answers[0] == "Rishi Sunak"
    assert json.loads(printed.splitlines()[-1])["revision"] == 3
    (here,) = [line for line in commands("docs/operations.md") if "world.dysk doctor" in line]
    assert "fail" not in typed(here, tmp_path, shell)


@pytest.mark.models
@pytest.mark.slow
@needs_models
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_what_the_pages_send_to_a_running_service_is_answered(
    tmp_path: Path, shell: dict[str, str]
) -> None:
    with served(tmp_path / "served") as client:
        here = str(client.base_url).rstrip("/")
        client.post("/v1/graphs", json={"name": "readme"})
        readme = "".join(block for block in blocks("README.md", "sh") if "curl" in block)
        script = readme.replace(f"{SERVER}/v1/graphs/default", f"{here}/v1/graphs/readme")
        printed = typed(script, tmp_path, shell)
        shown = re.findall(r"^# (\{.*)", readme, re.MULTILINE)
        fields = re.findall(r'"\w+": (?:"[^"]*"|\d+|true|\["[^]]*\])', "".join(shown))
        assert len(fields) == 11
        for field in fields:
            assert field.replace(": ", ":") in printed, field

        page = "".join(block for block in blocks("docs/service.md", "sh") if "curl" in block)
        printed = typed(page.replace(SERVER, here), tmp_path, shell)
        answers = re.findall(r'"answer":"([^"]*)"', printed)
        for answer, leader in zip(answers, ["Sunak", "Starmer", "Sunak"], strict=True):
            assert leader in answer
        assert "event: commit" in printed

        for example in blocks("docs/service.md", "python"):
            *lines, last = example.replace(SERVER, here).rstrip().splitlines()
            indent = last[: len(last) - len(last.lstrip())]
            told = "\n".join([*lines, f"{indent}print({last.strip()})"])
            assert re.search(
                "Sunak|Starmer", typed(f"python - <<'END'\n{told}\nEND", tmp_path, shell)
            )

        remote = [
            line.removeprefix("$ ")
            for name in sorted(HERE)
            for line in code_lines(name)
            if line.removeprefix("$ ").startswith(f"dysk --url {SERVER}")
        ]
        assert len(remote) == 2
        for line in remote:
            wanted = "default: 2 facts" if "doctor" in line else "Starmer"
            assert wanted in typed(line.replace(SERVER, here), tmp_path, shell), line
