"""Every family of models reads facts in every way that it is run: from a static cache, through
``generate``, and with other candidates in each row. The truth is one softmax over context and
facts; test_reading.py holds single passes and dynamic caches to it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel, StaticCache

from dysk.attention import Reading, attach
from tests.dysk.attention.oracle import concatenating
from tests.dysk.attention.tiny import KINDS, Prompt, filled_memory, generated, logits, prompt, tiny

SINGLE, DOUBLE = filled_memory(), filled_memory(torch.float64)
UNLIKE = torch.tensor([[0, 3, 1, -1], [4, 2, 5, 0]])
"""The candidates of two rows: three and four, in arena order and not, one in both."""


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def reading(memory_type: torch.dtype, candidates: Tensor = UNLIKE) -> Reading:
    memory = DOUBLE if memory_type == torch.float64 else SINGLE
    prior = torch.linspace(-1, 1, candidates.numel(), dtype=memory_type).view_as(candidates)
    return Reading(memory, candidates, k=2, prior=prior, gate=0.5)


def from_static_cache(model: PreTrainedModel, given: Prompt) -> Tensor:
    """Logits [B, L, V]: six tokens at once, then one at a time, beside slots not written yet."""
    cache = StaticCache(config=model.config, max_cache_len=2 * given.ids.shape[1])
    parts, begin = [], 0
    for end in range(6, given.ids.shape[1] + 1):
        output = model(
            given.ids[:, begin:end], attention_mask=given.real[:, :end], past_key_values=cache
        )
        parts.append(output.logits)
        begin = end
    return torch.cat(parts, 1)


@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
@pytest.mark.parametrize("kind", KINDS)
def test_from_a_static_cache_it_reads_as_closely_as_it_computes(kind: str, padded: bool) -> None:
    given, real = prompt(padded=padded), prompt(padded=padded).real.bool()
    single, double = tiny(kind), tiny(kind, dtype=torch.float64)
    with concatenating(double, reading(torch.float64)):
        exact = logits(double, given)[real]
    with concatenating(single, reading(torch.float32)):
        rounding = (logits(single, given)[real] - exact).abs().max()
    assert (from_static_cache(single, given)[real] - exact).abs().max() > 0.1  # facts do matter
    with attach(single).reading(reading(torch.float32)):
        error = (from_static_cache(single, given)[real] - exact).abs().max()
    assert error < 8 * rounding + 1e-6


@pytest.mark.parametrize("cache", [None, "static"], ids=["dynamic", "static"])
@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
@pytest.mark.parametrize("kind", KINDS)
def test_generate_speaks_as_one_softmax_would(kind: str, padded: bool, cache: str | None) -> None:
    given, model = prompt(padded=padded), tiny(kind, dtype=torch.float64)
    _, untouched = generated(model, given)
    with concatenating(model, reading(torch.float64)):
        expected, expected_scores = generated(model, given)
    with attach(model).reading(reading(torch.float64)):
        tokens, scores = generated(model, given, cache_implementation=cache, disable_compile=True)
    assert torch.equal(tokens, expected)
    # Rotations and norms are computed in float32 whatever the weights are.
    torch.testing.assert_close(scores, expected_scores, rtol=1e-4, atol=1e-4)
    assert (scores[:, 0] - untouched[:, 0]).abs().max() > 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_rows_with_other_candidates_share_a_pass_and_read_as_they_would_alone(kind: str) -> None:
    """As a server batches asks: few, many, none and repeated candidates, and left padding."""
    candidates = torch.tensor([[0, 3, 1, 5], [4, -1, -1, -1], [-1, -1, -1, -1], [2, 2, -1, 0]])
    two = prompt(padded=True)
    given = Prompt(two.ids.repeat(2, 1), two.real.repeat(2, 1))
    together, attachment = reading(torch.float32, candidates), attach(tiny(kind))
    with attachment.reading(together):
        read = logits(attachment.model, given)
    assert together.prior is not None
    for row in range(len(candidates)):
        alone = Reading(
            SINGLE, candidates[[row]], k=2, prior=together.prior[[row]], gate=together.gate
        )
        with attachment.reading(alone):
            expected = logits(attachment.model, given[row])
        real = given[row].real.bool()
        torch.testing.assert_close(read[[row]][real], expected[real], rtol=1e-4, atol=1e-4)
