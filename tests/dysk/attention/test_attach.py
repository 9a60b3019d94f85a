"""Attaching changes nothing until facts are read, and detaching gives the model back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from dysk.attention import Reading, Unattachable, attach
from tests.dysk.attention.tiny import (
    KINDS,
    decoded,
    filled_memory,
    generated,
    logits,
    prompt,
    tiny,
)

WAYS = {"in one pass": logits, "from a cache": decoded}
NOTHING: dict[str, dict[str, Any]] = {
    "only padding": {"candidates": torch.full((2, 3), -1)},
    "no candidates": {"candidates": torch.empty(2, 0, dtype=torch.int64)},
    "k is 0": {"k": 0},
    "the gate is closed": {"gate": float("-inf")},
    "no layer reads": {"first_layer": 2},
}


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def reading(**changes: Any) -> Reading:
    """Both rows read facts 0, 1 and 2, except for the changes."""
    settings: dict[str, Any] = {"candidates": torch.tensor([[0, 1, 2], [2, 1, 0]]), "k": 2}
    return Reading(filled_memory(), **{**settings, **changes})


@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_attached_model_that_reads_nothing_is_the_untouched_one_bit_for_bit(
    kind: str, way: Callable[..., Tensor], padded: bool
) -> None:
    given, attachment = prompt(padded=padded), attach(tiny(kind))
    assert torch.equal(way(attachment.model, given), way(tiny(kind), given))


@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
@pytest.mark.parametrize("kind", KINDS)
def test_generate_says_the_same_from_the_same_logits(kind: str, padded: bool) -> None:
    given, attachment = prompt(padded=padded), attach(tiny(kind))
    tokens, scores = generated(attachment.model, given)
    expected_tokens, expected_scores = generated(tiny(kind), given)
    assert torch.equal(tokens, expected_tokens)
    assert torch.equal(scores, expected_scores)


@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("changes", NOTHING.values(), ids=NOTHING)
def test_a_reading_of_nothing_leaves_every_bit(
    changes: dict[str, Any], way: Callable[..., Tensor], padded: bool
) -> None:
    given, attachment = prompt(padded=padded), attach(tiny("llama"))
    with attachment.reading(reading(watched={0: [1], 1: [0]}, **changes)) as read:
        assert torch.equal(way(attachment.model, given), way(tiny("llama"), given))
    assert read.shares() == [0.0] * read.candidates.shape[1]


@pytest.mark.parametrize("padded", [False, True], ids=["full", "padded"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_without_candidates_keeps_its_bits_beside_one_that_reads(
    kind: str, way: Callable[..., Tensor], padded: bool
) -> None:
    given, attachment = prompt(padded=padded), attach(tiny(kind))
    untouched = way(tiny(kind), given)
    for empty, full in ((0, 1), (1, 0)):
        candidates = torch.full((2, 3), -1)
        candidates[full] = torch.tensor([3, 4, 5])
        with attachment.reading(reading(candidates=candidates)):
            read = way(attachment.model, given)
        assert torch.equal(read[empty], untouched[empty])
        assert (read[full, -1] - untouched[full, -1]).abs().max() > 1e-3


def test_only_layers_from_the_first_on_read() -> None:
    given, attachment = prompt(), attach(tiny("llama"))
    hidden: list[Tensor] = []
    attachment.model.model.layers[0].register_forward_hook(lambda *call: hidden.append(call[2]))
    logits(attachment.model, given)
    with attachment.reading(reading(first_layer=1)):
        read = logits(attachment.model, given)
    assert torch.equal(hidden[0], hidden[1])
    assert not torch.equal(read, logits(attachment.model, given))


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", KINDS)
def test_detaching_leaves_no_trace(kind: str, implementation: str) -> None:
    given, model = prompt(padded=True), tiny(kind, attn_implementation=implementation)
    before, parts = logits(model, given), [dict(vars(module)) for module in model.modules()]
    attachment = attach(model)
    assert model.config._attn_implementation == "dysk"
    with attachment.reading(reading()):
        logits(model, given)
    assert attachment.detach() is model
    assert model.config._attn_implementation == implementation
    assert [vars(module).keys() for module in model.modules()] == [part.keys() for part in parts]
    assert torch.equal(logits(model, given), before)


def test_a_model_is_attached_once_and_can_be_again_after_it_was_detached() -> None:
    first = attach(tiny("llama"))
    with pytest.raises(Unattachable, match="attached already: detach it first"):
        attach(first.model)
    with first.reading(reading()):
        read = logits(first.model, prompt())
    second = attach(first.detach())
    with second.reading(reading()):
        assert torch.equal(logits(second.model, prompt()), read)


def test_detaching_twice_does_not_disturb_a_later_attachment() -> None:
    first = attach(tiny("llama"))
    second = attach(first.detach())
    first.detach()
    with second.reading(reading()):
        assert not torch.equal(logits(second.model, prompt()), logits(tiny("llama"), prompt()))


REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    # learned positions, one projection of another name
    "gpt2": ("GPT2LMHeadModel has 0 attention layers of a known kind for 2 layers", {}),
    "gemma2": ("softcap", {}),
    # the right parts, but its attention is its own and would read nothing
    "gptj": ("GPTJForCausalLM cannot run on sdpa", {"rotary_dim": 8, "head_dim": None}),
    # sinks, which sdpa leaves out
    "gpt_oss": ("GptOssForCausalLM cannot run on sdpa", {"num_local_experts": 4}),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_model_that_cannot_read_facts_is_refused_and_left_alone(kind: str) -> None:
    message, changes = REFUSED[kind]
    model = tiny(kind, attn_implementation="eager", **changes)
    before = logits(model, prompt())
    with pytest.raises(Unattachable, match=message) as refusal:
        attach(model)
    assert refusal.value.code == "unattachable"
    assert model.config._attn_implementation == "eager"
    assert torch.equal(logits(model, prompt()), before)


def test_one_reading_at_a_time() -> None:
    attachment = attach(tiny("llama"))
    with attachment.reading(reading()):
        read = logits(attachment.model, prompt())
        with (
            pytest.raises(Unattachable, match="one reading at a time"),
            attachment.reading(reading(k=0)),
        ):
            pass
        with (
            pytest.raises(Unattachable, match="one reading at a time"),
            attachment.probing(frozenset({0})),
        ):
            pass
        # and the refused ones did not end the first
        assert torch.equal(logits(attachment.model, prompt()), read)


@pytest.mark.parametrize("failure", ["in the caller", "in the model"])
def test_after_a_failed_reading_the_attachment_works_as_before(failure: str) -> None:
    attachment = attach(tiny("llama"))
    with attachment.reading(reading()):
        read = logits(attachment.model, prompt())
    if failure == "in the caller":
        with pytest.raises(KeyError), attachment.reading(reading()):
            raise KeyError("unrelated")
    else:
        three_rows = reading(candidates=torch.zeros(3, 1, dtype=torch.int64))
        with pytest.raises(ValueError, match="candidates must be"), attachment.reading(three_rows):
            logits(attachment.model, prompt())
    assert torch.equal(logits(attachment.model, prompt()), logits(tiny("llama"), prompt()))
    with attachment.reading(reading()):
        assert torch.equal(logits(attachment.model, prompt()), read)
