"""Requests that share a forward pass get what each would have got alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import AutoConfig, DynamicCache

from dysk.attention import Probe, Reading, Reconsidered, SecondLook, attach
from dysk.attention.packed import is_packable
from dysk.passes import Passes, Step
from tests.dysk.attention.tiny import KINDS, LAYERS, VOCABULARY, filled_memory, tiny
from tests.dysk.together import together

MEMORY = filled_memory()
MODELS = {kind: Passes(model := tiny(kind), attach(model)) for kind in KINDS}
HEADS = {layer: [layer] for layer in range(LAYERS)}

Look = Callable[[Probe], bool]


@dataclass(frozen=True)
class Request:
    """Enough to make the same step twice: what was said, what is said now, and what is read."""

    said: int
    ids: tuple[int, ...]
    gap: int
    keep: int
    facts: tuple[int, ...] | None
    look: Look | None = None

    def step(self, passes: Passes) -> Step:
        """The step, behind a cache of its own."""
        cache = DynamicCache()
        if self.said:
            passes.run(Step([5 + i for i in range(self.said)], cache, 0, 1, None))
        reading = None
        if self.facts is not None:
            candidates = torch.tensor([self.facts], dtype=torch.int64)
            look = self.look and SecondLook(Probe(frozenset({0})), self.look)
            reading = Reading(MEMORY, candidates, k=2, watched=HEADS, second_look=look)
        return Step(list(self.ids), cache, self.said + self.gap, self.keep, reading)


def agree(probe: Probe) -> bool:
    return probe.is_complete


def disagree(probe: Probe) -> bool:
    return not probe.is_complete


def fail(probe: Probe) -> bool:
    raise KeyError(len(probe.seen))


@st.composite
def requests(draw: st.DrawFn) -> Request:
    ids = draw(st.lists(st.integers(5, VOCABULARY - 1), min_size=1, max_size=9))
    facts = st.lists(st.integers(-1, 5), max_size=4, unique=True).map(tuple)
    return Request(
        said=draw(st.integers(0, 8)),
        ids=tuple(ids),
        gap=draw(st.integers(0, 5)),
        keep=draw(st.integers(1, len(ids))),
        facts=draw(st.none() | facts),
        look=draw(st.sampled_from([None, None, agree, disagree, fail])),
    )


def outcome(passes: Passes, step: Step) -> Tensor | Exception:
    try:
        return passes.run(step)
    except Exception as error:
        return error


def assert_same(one: Step, other: Step) -> None:
    """Logits or error, the cache of who goes on, and what its reading has recorded."""
    assert type(one.error) is type(other.error)
    if one.error is not None:
        return
    close(one.logits, other.logits)
    ours: Any = one.cache.layers
    theirs: Any = other.cache.layers
    for our, their in zip(ours, theirs, strict=True):
        close(our.keys, their.keys)
        close(our.values, their.values)
    if one.reading is not None and other.reading is not None:
        assert one.reading.steps == other.reading.steps
        assert (one.reading.second_look is None) == (other.reading.second_look is None)
        if one.reading.mass is not None:
            close(one.reading.mass, other.reading.mass)
        assert (one.reading.mass is None) == (other.reading.mass is None)


def close(one: Tensor | None, other: Tensor | None) -> None:
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def assert_packed_is_as_alone(passes: Passes, wanted: list[Request]) -> None:
    alone, packed = ([one.step(passes) for one in wanted] for _ in range(2))
    for step in alone:
        outcome(passes, step)
    together(passes, packed)
    for one, other in zip(packed, alone, strict=True):
        assert_same(one, other)


@settings(max_examples=80, deadline=None)
@given(st.lists(requests(), min_size=2, max_size=5), st.sampled_from(["llama", "gemma3_text"]))
def test_any_mixture_of_requests_gets_what_each_gets_alone(
    wanted: list[Request], kind: str
) -> None:
    assert_packed_is_as_alone(MODELS[kind], wanted)


MIXTURE = [
    Request(0, (7, 8, 9, 10, 11, 12, 13), 3, 1, (0, 3)),
    Request(8, (20,), 3, 1, (4, 2, 5)),  # as many have been said as no window reaches over
    Request(6, (30, 31, 32), 0, 3, None),
    Request(3, (40, 41), 2, 1, (1,), disagree),
    Request(2, (50,), 2, 1, (-1,)),
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_can_share_its_passes(kind: str) -> None:
    assert is_packable(tiny(kind).config)
    assert_packed_is_as_alone(MODELS[kind], MIXTURE)


def test_a_second_look_that_disagrees_ends_its_own_request_only() -> None:
    passes = MODELS["llama"]
    with torch.inference_mode():
        steps = [one.step(passes) for one in MIXTURE]
        found = together(passes, steps)
    assert [isinstance(one, Reconsidered) for one in found] == [False, False, False, True, False]


def test_a_pass_in_which_all_have_ended_goes_no_further() -> None:
    model = tiny("llama")
    passes = Passes(model, attach(model))
    reached: list[int] = []
    last: Any = model.get_submodule(f"model.layers.{LAYERS - 1}")
    last.register_forward_hook(lambda *_: reached.append(1))
    with torch.inference_mode():
        steps = [Request(0, (7, 8), 0, 1, (0,), disagree).step(passes) for _ in range(3)]
        assert [type(one) for one in together(passes, steps)] == [Reconsidered] * 3
    assert reached == []


@pytest.mark.parametrize(
    ("rope", "shared"),
    [
        ({"rope_type": "llama3", "rope_theta": 1e4}, True),
        ({"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}, False),
        ({"rope_type": "longrope", "rope_theta": 1e4}, False),
    ],
)
def test_positions_that_depend_on_the_longest_of_a_pass_are_not_shared(
    rope: dict[str, Any], shared: bool
) -> None:
    config: Any = AutoConfig.for_model("llama")
    config.rope_parameters = rope
    assert is_packable(config) is shared


def test_layers_of_an_unknown_kind_are_not_shared() -> None:
    config: Any = AutoConfig.for_model("llama")
    config.layer_types = ["full_attention", "chunked_attention"]
    assert not is_packable(config)
