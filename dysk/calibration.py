"""When the signs of a fact are good enough to answer: two logistic models, trained by `dysk train`.

One weighs whether the fact is about the entity asked for, the other whether it tells what is asked;
a fact has to pass both. Weights come from invented graphs (dysk.training) and are shipped with dysk
for its default encoder; other encoders are weighed alike until `dysk train` has been run for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from dysk.candidates import Candidate, Query
from dysk.models import cache_folder
from dysk.relevance import LEAST_SCORE, Signs, read_signs
from dysk.sync import Syncer
from graph.interval import Period
from graph.store import Snapshot

_PACKAGED = "dysk.attention.found"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Weights of the signs of entity and relation, the constant last; and what is added to both
    log-odds, in that order, where a doubtful answer is better than none.
    """

    entity: Floats
    relation: Floats
    leniency: Floats

    def is_answered(
        self,
        found: Sequence[Candidate],
        query: Query,
        syncer: Syncer,
        snapshot: Snapshot,
        as_of: Period,
        *,
        strict: bool = False,
    ) -> bool:
        """Whether the best of ``found`` is what was asked for, as far as can be told."""
        if not found or found[0].score < LEAST_SCORE:
            return False
        signs = read_signs(found, query, syncer, snapshot, as_of)
        return self.is_relevant(signs, strict=strict)

    def is_relevant(self, signs: Signs, *, strict: bool = False) -> bool:
        """Whether the fact is likely enough to be about the right entity, and to answer."""
        odds = np.array([logit(self.entity, signs.entity), logit(self.relation, signs.relation)])
        return bool(np.all(odds + (0.0 if strict else self.leniency) > 0))


def logit(weights: Floats, signs: tuple[float, ...]) -> float:
    """Log-odds that a sign tuple speaks for the fact."""
    return float(weights[:-1] @ np.array(signs) + weights[-1])


@cache
def calibration_for(fingerprint: str) -> Calibration:
    """What `dysk train` kept for this encoder, else what is shipped."""
    # A damaged file is as good as none.
    with suppress(OSError, KeyError, SafetensorError):
        return _read(cache_file(fingerprint).read_bytes())
    return _read(resources.files(_PACKAGED).joinpath("relevance.safetensors").read_bytes())


def cache_file(fingerprint: str) -> Path:
    """Where the weights for an encoder are kept."""
    return cache_folder() / "relevance" / f"{fingerprint}.safetensors"


def _read(data: bytes) -> Calibration:
    tensors = load(data)
    return Calibration(tensors["entity"], tensors["relation"], tensors["leniency"])
