"""``dysk bench edits``: the sequence of updates over real models, one results folder a stage."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.environment import environment
from benchmarks.results import SAMPLES, Results, summarise_system, write_results
from benchmarks.rivals.ring import Ring
from benchmarks.run import warm_up
from benchmarks.systems import Contestant
from benchmarks.tasks.sequence import Stage, erased_texts, residue, run_sequence

if TYPE_CHECKING:
    from dysk.workspace import Workspace


def run_edits(
    workspace: Workspace,
    systems: Sequence[Contestant],
    *,
    counts: Sequence[int],
    seed: int,
    folder: Path,
    models: tuple[str | None, str | None] = (None, None),
    progress: Callable[[], None] | None = None,
) -> dict[str, Results]:
    """Run every stage in an empty graph of the workspace; results by name of the stage.

    ``config`` of the last says how often a text that was erased still stands in a file under the
    workspace: by text, nothing where erasure is complete. Raises BenchmarkError, ModelUnavailable.
    """
    graph = workspace.graph("bench-edits", create=True)
    ring = Ring(graph, workspace)
    warm_up(ring, systems, graph.store.revision)
    found: dict[str, Results] = {}
    for stage in run_sequence(ring, systems, counts=counts, seed=seed, progress=progress):
        results = Results(
            {name: summarise_system(samples) for name, samples in stage.samples.items()},
            _config(stage, systems, seed, len(graph.facts())),
            environment(*models),
        )
        if stage.name == "after removal":
            results.config["residue"] = residue(workspace.path, erased_texts(counts, seed))
        place = folder / stage.name.replace(" ", "-")
        place.mkdir(exist_ok=True)
        lines = [sample.to_line() for samples in stage.samples.values() for sample in samples]
        (place / SAMPLES).write_text("".join(lines), "utf-8")
        write_results(results, place)
        found[stage.name] = results
    return found


def _config(
    stage: Stage, systems: Sequence[Contestant], seed: int, facts: int
) -> dict[str, object]:
    asked = [sample.id for sample in next(iter(stage.samples.values()))]
    return {
        "facts": {"name": "invented facts", "added": facts, "unchanged": 0},
        "questions": {
            "name": f"the stage {stage.name}",
            "sha256": hashlib.sha256("\n".join([str(seed), *asked]).encode()).hexdigest(),
            "total": len(asked),
            "asked": len(asked),
        },
        "systems": {system.name: asdict(system) for system in systems},
        "updates": stage.updates,
        "visible_ms": {
            name: None if times is None else asdict(times)
            for name, times in stage.visible_ms.items()
        },
        "seed": seed,
        "workers": 1,
    }
