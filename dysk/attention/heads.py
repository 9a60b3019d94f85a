"""Find a model's retrieval heads from invented facts, and keep what was found.

For every question the candidates are the right fact and its nearest neighbours by coarse score. A
head is scored by how often it gives the right fact the largest share; the best few are then
combined, and λ, the weight of the coarse score, is the one that puts the right fact first most
often, the largest where several tie.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dysk.attention.fine import RetrievalHeads, fuse, head_shares
from dysk.attention.invented import InventedFact, invent
from dysk.language_model import LanguageModel
from dysk.models import cache_folder
from dysk.retrieval.encoder import TextEncoder
from dysk.retrieval.keys import slot_keys
from dysk.retrieval.verbalize import verbalize
from graph.fact import Fact, Relation

CANDIDATES = 16
HEADS = 4
WEIGHTS = (2.5, 5.0, 10.0, 20.0, 40.0)
QUESTIONS = 120
_PACKAGED = "dysk.attention.found"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class HeadsReport:
    """What was found, and how often the right one of 16 candidates came first on questions that
    chose nothing: by coarse score, by the heads alone, and by both.
    """

    heads: RetrievalHeads
    questions: int
    coarse: float
    alone: float
    fused: float


@dataclass(frozen=True, slots=True)
class _Trial:
    """One question: ``shares`` [L, H, C] of all heads, ``coarse`` [C], and which candidate is
    right.
    """

    shares: Tensor
    coarse: Tensor
    right: int


def find_heads(
    model: LanguageModel,
    encoder: TextEncoder,
    *,
    questions: int = QUESTIONS,
    seed: int = 0,
    progress: Progress | None = None,
) -> HeadsReport:
    """Choose heads and λ on half of the questions, and report on the other half."""
    trials = _trials(model, encoder, questions, seed, progress)
    chosen, held_out = trials[::2], trials[1::2]
    accuracy = torch.stack([_is_right(t.shares, t.right) for t in chosen]).float().mean(0)
    best = accuracy.flatten().sort(descending=True, stable=True).indices[:HEADS].tolist()
    per_layer = accuracy.shape[1]
    heads = tuple((i // per_layer, i % per_layer) for i in best)
    scores = [_accuracy(chosen, heads, weight) for weight in WEIGHTS]
    tied = [w for w, score in zip(WEIGHTS, scores, strict=True) if score == max(scores)]
    # Invented questions leave a range of weights equally good, and of the two scores the coarse one
    # carries over to other data better (docs/log.md).
    weight = max(tied)
    return HeadsReport(
        RetrievalHeads(heads, weight),
        questions=len(held_out),
        coarse=sum(int(t.coarse.argmax()) == t.right for t in held_out) / len(held_out),
        alone=_accuracy(held_out, heads, 0.0),
        fused=_accuracy(held_out, heads, weight),
    )


def heads_for(
    model: LanguageModel, encoder: TextEncoder, progress: Callable[[str], None] | None = None
) -> RetrievalHeads:
    """The heads kept for this model's weights: in the cache, shipped with dysk, or found now (a
    minute).
    """
    shipped = resources.files(_PACKAGED).joinpath(f"{model.fingerprint}.json")
    for source in (_cache_file(model), shipped):
        # A damaged file is as good as none.
        with suppress(OSError, ValueError, KeyError, TypeError):
            return _read(source.read_text())
    if progress:
        progress(f"finding the retrieval heads of {model.name}, once (a minute)")
    report = find_heads(model, encoder)
    with suppress(OSError):  # where nothing can be kept they are found again next time
        save(model, report)
    return report.heads


def save(model: LanguageModel, report: HeadsReport) -> Path:
    """Keep what was found in the cache, under the fingerprint of the model's weights."""
    path = _cache_file(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".tmp")
    scratch.write_text(json.dumps({"model": model.name, **asdict(report)}, indent=2) + "\n")
    scratch.replace(path)
    return path


def _cache_file(model: LanguageModel) -> Path:
    return cache_folder() / "heads" / f"{model.fingerprint}.json"


def _read(text: str) -> RetrievalHeads:
    record = json.loads(text)["heads"]
    heads = tuple((int(layer), int(head)) for layer, head in record["heads"])
    return RetrievalHeads(heads, float(record["coarse_weight"]))


@torch.inference_mode()
def _trials(
    model: LanguageModel,
    encoder: TextEncoder,
    count: int,
    seed: int,
    progress: Progress | None,
) -> list[_Trial]:
    facts = invent(3 * count, seed)
    keys = slot_keys(encoder, [(fact.subject, fact.relation) for fact in facts])
    asked = facts[:: len(facts) // count][:count]
    similar = encoder.encode([fact.question for fact in asked]) @ keys.T
    trials = []
    for number, (fact, scores) in enumerate(zip(asked, similar, strict=True)):
        right = facts.index(fact)
        nearest = [int(i) for i in np.argsort(-scores) if i != right][: CANDIDATES - 1]
        trials.append(_trial(model, facts, [*nearest, right], scores, fact.question))
        if progress:
            progress(number + 1, count)
    return trials


def _trial(
    model: LanguageModel,
    facts: list[InventedFact],
    candidates: list[int],
    scores: np.ndarray,
    question: str,
) -> _Trial:
    """The right fact is the last candidate."""
    texts = [_sentence(facts[i]) for i in candidates]
    layers = frozenset(range(model.memory.keys.shape[0]))
    with model.memory.lease([(f"invented:{text}", text) for text in texts]) as lease:
        span = int(model.memory.length[lease.rows].max())
        probe = model.probe(model.question_ids(question), layers, span)
        shares = [head_shares(probe, model.memory, i, lease.rows[None])[0] for i in sorted(layers)]
    coarse = torch.tensor([float(scores[i]) for i in candidates])
    return _Trial(torch.stack(shares), coarse, len(candidates) - 1)


def _sentence(fact: InventedFact) -> str:
    relation = Relation(fact.relation)
    return verbalize(Fact("", fact.subject, fact.relation, fact.object), relation)


def _is_right(scores: Tensor, right: int) -> Tensor:
    return scores.argmax(-1) == right


def _accuracy(trials: list[_Trial], heads: tuple[tuple[int, int], ...], weight: float) -> float:
    layers, numbers = [layer for layer, _ in heads], [head for _, head in heads]
    hits = [
        bool(_is_right(fuse(t.shares[layers, numbers][None], t.coarse[None], weight)[0], t.right))
        for t in trials
    ]
    return sum(hits) / len(hits)
