"""Train the calibration of abstention on invented graphs; the same seed gives the same bits.

Every graph is stored and searched as a real one is. Of each question the best fact is known to be
about the right entity or not, and to tell what is asked or not; two logistic models learn to tell
from the signs (dysk.relevance). No weight of the language model or the encoder is touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from dysk.calibration import Calibration, Floats, cache_file
from dysk.candidates import read_query, read_time, retrieve
from dysk.invented_graph import InventedGraph, invent_graph
from dysk.relevance import FAR, NEIGHBOURS, Signs, read_signs
from dysk.retrieval.encoder import CachedEncoder, TextEncoder
from dysk.retrieval.exact import ExactIndex
from dysk.sync import Syncer
from graph import Add, MemoryStore
from graph.interval import now_period

GRAPHS = 12
_LOST, _LOST_STRICTLY = 0.02, 0.05
"""Questions that have an answer and may be lost to one of the two models: the price of abstaining
where there is none. Set by what invented questions cost, not by any benchmark.
"""
_PENALTY = 1e-3
_STEPS = 30

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Example:
    """The signs of the best fact; whether it is about the entity asked for, and answers."""

    signs: Signs
    is_about: bool
    answers: bool


@dataclass(frozen=True, slots=True)
class Report:
    """How the weights do on every fourth graph, which they have not seen.

    ``precision`` and ``recall`` of abstaining where the graph has no answer, under strict
    grounding.
    """

    seed: int
    graphs: int
    questions: int
    precision: float
    recall: float


def train(
    encoder: TextEncoder,
    *,
    graphs: int = GRAPHS,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Calibration, Report]:
    """Weights from three quarters of the invented graphs, and a report on the others."""
    seen: list[Example] = []
    unseen: list[Example] = []
    cached = CachedEncoder(encoder)
    for number in range(graphs):
        examples = collect(invent_graph(seed * graphs + number), cached)
        (unseen if number % 4 == 3 else seen).extend(examples)
        if progress:
            progress(number + 1, graphs)
    calibration = fit(seen)
    abstained = [not calibration.is_relevant(each.signs, strict=True) for each in unseen]
    hits = sum(a and not each.answers for a, each in zip(abstained, unseen, strict=True))
    return calibration, Report(
        seed=seed,
        graphs=graphs,
        questions=len(unseen),
        precision=hits / max(1, sum(abstained)),
        recall=hits / max(1, sum(not each.answers for each in unseen)),
    )


def collect(graph: InventedGraph, encoder: CachedEncoder) -> list[Example]:
    """Ask all questions of a graph. Those whose answer is there and was not found teach nothing
    about abstaining and are left out.
    """
    store = MemoryStore()
    store.apply([Add(*triple) for triple in graph.triples])
    syncer = Syncer(store, encoder, index=ExactIndex(encoder.dim))
    syncer.catch_up(store.revision)
    slots = {triple[:2] for triple in graph.triples}
    period, examples = now_period(), []
    with store.snapshot() as snapshot:
        for asked in graph.asked:
            words = read_time(asked.question, syncer, datetime.now(UTC)).question_without_time
            query = read_query(words, syncer, encoder.encoder)
            found = retrieve(syncer, snapshot, query, period, NEIGHBOURS, reach=FAR)
            slot = (asked.subject, asked.relation)
            if not found or (slot in slots and found[0].slot != slot):
                continue
            signs = read_signs(found, query, syncer, snapshot, period)
            is_about = found[0].slot[0] == asked.subject
            examples.append(Example(signs, is_about, found[0].slot == slot))
    return examples


def fit(examples: Sequence[Example]) -> Calibration:
    """The two models: of the entity from all examples, of the relation from those whose entity is
    right.
    """
    about = [each for each in examples if each.is_about]
    entity, entity_ease = _logistic(
        [each.signs.entity for each in examples],
        [each.is_about for each in examples],
        [each.answers for each in examples],
    )
    relation, relation_ease = _logistic(
        [each.signs.relation for each in about],
        [each.answers for each in about],
        [each.answers for each in about],
    )
    return Calibration(entity, relation, np.array([entity_ease, relation_ease]))


def save_calibration(
    encoder: TextEncoder, calibration: Calibration, report: Report, path: Path | None = None
) -> Path:
    """Keep weights and their card, by default where asks with this encoder look for them."""
    path = path or cache_file(encoder.fingerprint)
    path.parent.mkdir(parents=True, exist_ok=True)
    # One entry: safetensors writes several in an order that changes.
    card = {"card": json.dumps({"encoder": encoder.fingerprint, **asdict(report)})}
    scratch = path.with_suffix(".tmp")
    scratch.write_bytes(save(asdict(calibration), metadata=card))
    scratch.replace(path)
    return path


def _logistic(
    rows: Sequence[tuple[float, ...]], labels: Sequence[bool], answerable: Sequence[bool]
) -> tuple[Floats, float]:
    """Weights by Newton's method, both labels weighing alike in sum, with the constant at which
    ``_LOST_STRICTLY`` of the answerable rows fall below zero; and what has to be added for
    ``_LOST``.
    """
    signs = np.array([[*row, 1.0] for row in rows], dtype=np.float64)
    right = np.array(labels, dtype=np.float64)
    share = np.where(right > 0, 0.5 / max(1.0, right.sum()), 0.5 / max(1.0, (1 - right).sum()))
    penalty = np.full(signs.shape[1], _PENALTY)
    penalty[-1] = 0.0
    weights = np.zeros(signs.shape[1])
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-signs @ weights))
        slope = signs.T @ (share * (likely - right)) + penalty * weights
        bend = (signs.T * (share * likely * (1 - likely))) @ signs + np.diag(penalty + _PENALTY**3)
        weights = weights - np.linalg.solve(bend, slope)
    odds = (signs @ weights)[np.array(answerable, dtype=bool)]
    strictly, easily = np.quantile(odds, [_LOST_STRICTLY, _LOST])
    weights[-1] -= strictly
    return weights, float(strictly - easily)
