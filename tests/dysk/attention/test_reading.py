"""A model that reads facts computes one softmax over its context and the facts (promise 4)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import PreTrainedModel

from dysk.attention import Reading, attach
from tests.dysk.attention.oracle import concatenating
from tests.dysk.attention.tiny import (
    HEADS,
    KINDS,
    LAYERS,
    Prompt,
    decoded,
    filled_memory,
    generated,
    logits,
    new_memory,
    prompt,
    tiny,
)

MEMORY = filled_memory(torch.float64)
# Its norms are computed in the model's own type: in float64 nothing hides a difference. Others
# round to float32 inside.
EXACT = "starcoder2"
ALL_WATCHED = {layer: list(range(HEADS)) for layer in range(LAYERS)}
WAYS = {"in one pass": logits, "from a cache": decoded}
FEW = torch.tensor([[0, 3, 1, 5], [4, 2, 5, 0]])


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    """Readings of MEMORY by two rows, with padding, duplicates and closed facts among them."""
    columns = draw(st.integers(1, 5))
    rows = st.lists(st.integers(-1, 5), min_size=columns, max_size=columns)
    priors = st.floats(-3, 3) | st.just(-math.inf)
    prior = None
    if draw(st.booleans()):
        both = [draw(st.lists(priors, min_size=columns, max_size=columns)) for _ in range(2)]
        prior = torch.tensor(both, dtype=torch.float64)
    return Reading(
        MEMORY,
        torch.tensor([draw(rows), draw(rows)]),
        k=draw(st.integers(1, 6)),
        prior=prior,
        temperature=draw(st.sampled_from([0.5, 0.8, 1.0, 2.0])),
        gate=draw(st.sampled_from([-math.inf, -1.0, 0.0, 2.5])),
        first_layer=draw(st.integers(0, 2)),
    )


@torch.no_grad()
@given(readings(), st.booleans(), st.sampled_from(list(WAYS)))
@settings(max_examples=40, deadline=None)
def test_attached_logits_are_those_of_context_and_facts_in_one_softmax(
    reading: Reading, padded: bool, way: str
) -> None:
    given, model = prompt(padded=padded), tiny(EXACT, dtype=torch.float64)
    with concatenating(model, reading):
        expected = WAYS[way](model, given)
    with attach(model).reading(reading):
        read = WAYS[way](model, given)
    real = given.real.bool()
    torch.testing.assert_close(read[real], expected[real], rtol=1e-9, atol=1e-9)


@torch.no_grad()
@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_reads_as_closely_as_it_computes(
    kind: str, way: Callable[..., Tensor], padded: bool
) -> None:
    """The tolerance is measured: what float32 alone does to the untouched computation."""
    given, real = prompt(padded=padded), prompt(padded=padded).real.bool()
    single, double = tiny(kind), tiny(kind, dtype=torch.float64)
    with concatenating(double, Reading(MEMORY, FEW, k=2)) as state:
        exact = way(double, given)[real]
    assert any(sum(shares) > 0.1 for shares in state.shares.values())
    with concatenating(single, Reading(filled_memory(), FEW, k=2)):
        rounding = (way(single, given)[real] - exact).abs().max()
    with attach(single).reading(Reading(filled_memory(), FEW, k=2)):
        error = (way(single, given)[real] - exact).abs().max()
    assert error < 8 * rounding + 1e-6


@torch.no_grad()
@pytest.mark.parametrize("cache", [{}, {"cache_implementation": "static"}, {"use_cache": False}])
def test_generate_says_what_the_single_softmax_says(cache: dict[str, Any]) -> None:
    given, model = prompt(padded=True), tiny(EXACT, dtype=torch.float64)
    reading = Reading(MEMORY, FEW, k=2)
    untouched, _ = generated(model, given)
    with concatenating(model, reading):
        expected, expected_scores = generated(model, given)
    with attach(model).reading(reading):
        tokens, scores = generated(model, given, disable_compile=True, **cache)
    assert torch.equal(tokens, expected)
    torch.testing.assert_close(scores, expected_scores, rtol=1e-9, atol=1e-9)
    assert not torch.equal(tokens, untouched)


@torch.no_grad()
@given(readings(), st.booleans(), st.integers(-9, -1))
@settings(max_examples=25, deadline=None)
def test_shares_are_the_weights_of_the_single_softmax(
    reading: Reading, padded: bool, position: int
) -> None:
    given, model = prompt(padded=padded), tiny(EXACT, dtype=torch.float64)
    if padded:
        position = max(position, -5)  # the second row begins with pads
    reading.watched, reading.watch_position = ALL_WATCHED, position
    with concatenating(model, reading) as state:
        logits(model, given)
    with attach(model).reading(reading):
        logits(model, given)
    at = given.ids.shape[1] + position
    for row in range(2):
        watched = [
            state.shares[layer, row, head, at]
            for layer in range(LAYERS)
            for head in ALL_WATCHED[layer]
        ]
        average = torch.tensor(watched).mean(0).tolist()
        # A repeated candidate counts once, at its first place; its share shows at every place.
        columns = reading.candidates[row].tolist()
        expected = [average[columns.index(candidate)] for candidate in columns]
        assert reading.shares(row) == pytest.approx(expected, abs=1e-4)


@torch.no_grad()
def test_shares_are_a_mean_over_passes_and_watched_heads() -> None:
    model = tiny(EXACT, dtype=torch.float64)
    reading = Reading(MEMORY, FEW, k=3, watched={0: [1, 4], 1: [2]})
    expected = []
    with concatenating(model, reading) as state:
        for given in (prompt(), prompt(length=6)):
            logits(model, given)
            last = given.ids.shape[1] - 1
            expected += [state.shares[place] for place in _watched_places(reading, last)]
    with attach(model).reading(reading):
        for given in (prompt(), prompt(length=6)):
            logits(model, given)
    assert reading.steps == 2
    assert reading.shares() == pytest.approx(torch.tensor(expected).mean(0).tolist(), abs=1e-4)
    assert 0 < sum(reading.shares()) < 1


def _watched_places(reading: Reading, query: int) -> list[tuple[int, int, int, int]]:
    return [(layer, 0, head, query) for layer, heads in reading.watched.items() for head in heads]


@torch.no_grad()
@given(readings(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_rows_of_a_batch_read_as_they_do_alone(reading: Reading, padded: bool) -> None:
    given, attachment = prompt(padded=padded), attach(tiny(EXACT, dtype=torch.float64))
    with attachment.reading(reading):
        together = logits(attachment.model, given)
    for row in range(2):
        alone = Reading(
            MEMORY,
            reading.candidates[[row]],
            k=reading.k,
            prior=None if reading.prior is None else reading.prior[[row]],
            temperature=reading.temperature,
            gate=reading.gate,
            first_layer=reading.first_layer,
        )
        real = given[row].real.bool()
        with attachment.reading(alone):
            read = logits(attachment.model, given[row])
        torch.testing.assert_close(read[real], together[[row]][real], rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_the_arena_around_the_facts_read_is_never_seen() -> None:
    """MEMORY is NaN around its blocks; a clean one must read the same."""
    model, clean = tiny(EXACT, dtype=torch.float64), new_memory(torch.float64)
    clean.lease([(f"f{i}", f"Fact {i}.") for i in range(6)])
    read = []
    attachment = attach(model)
    for memory in (MEMORY, clean):
        for k in (2, 6):
            with attachment.reading(Reading(memory, FEW, k=k)):
                read.append(logits(model, prompt()))
    assert all(result.isfinite().all() for result in read)
    assert torch.equal(read[0], read[2])
    assert torch.equal(read[1], read[3])


def test_gradients_of_the_weights_are_those_of_the_single_softmax() -> None:
    reading = Reading(MEMORY, FEW, k=2, gate=1.0)
    given = prompt(padded=True)
    model = tiny(EXACT, dtype=torch.float64).requires_grad_(True)
    with concatenating(model, reading):
        expected = _gradients(model, given)
    with attach(model).reading(reading):
        found = _gradients(model, given)
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-7, atol=1e-7)


def _gradients(model: PreTrainedModel, given: Prompt) -> dict[str, Tensor]:
    total = logits(model, given)[given.real.bool()].logsumexp(-1).sum()
    names, weights = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(total, weights), strict=True))
