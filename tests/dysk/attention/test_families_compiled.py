"""An attached model under torch.compile: one graph, and never the facts of an earlier reading.

One family here. ``DYSK_EVERY_FAMILY=1`` tries all of them, and inductor, in a quarter of an hour.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from dysk.attention import Reading, attach
from tests.dysk.attention.test_families import UNLIKE, from_static_cache, reading
from tests.dysk.attention.tiny import KINDS, filled_memory, logits, prompt, tiny

EVERY = pytest.mark.skipif(
    "DYSK_EVERY_FAMILY" not in os.environ, reason="takes minutes: set DYSK_EVERY_FAMILY=1"
)
BUILT_WITH = ["aot_eager", pytest.param("inductor", marks=EVERY)]
FAMILIES = ["llama", *(pytest.param(kind, marks=EVERY) for kind in KINDS if kind != "llama")]

# of torch's own, inside inductor
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


@pytest.fixture(autouse=True)
def from_scratch() -> Iterator[None]:
    torch.compiler.reset()
    with torch.no_grad():
        yield
    torch.compiler.reset()


@pytest.mark.slow
@pytest.mark.parametrize("backend", BUILT_WITH)
@pytest.mark.parametrize("kind", FAMILIES)
def test_a_compiled_model_is_one_graph_and_reads_what_is_to_be_read_now(
    kind: str, backend: str
) -> None:
    given, real = prompt(padded=True), prompt(padded=True).real.bool()
    attachment = attach(tiny(kind))
    model: Any = attachment.model
    compiled = torch.compile(model.forward, fullgraph=True, backend=backend)

    def assert_same_as_uncompiled() -> Tensor:
        expected = logits(model, given)
        result: Tensor = compiled(given.ids, attention_mask=given.real).logits
        torch.testing.assert_close(result[real], expected[real], rtol=1e-4, atol=1e-4)
        return expected[real]

    seen = [assert_same_as_uncompiled()]
    for facts in (
        reading(torch.float32),
        reading(torch.float32, UNLIKE.flip(0)),
        Reading(filled_memory(), torch.tensor([[5, 2], [-1, -1]]), k=2, watched={1: [0]}),
    ):
        with attachment.reading(facts):
            seen.append(assert_same_as_uncompiled())
    assert all((one - other).abs().max() > 0.1 for one, other in pairwise(seen))
    assert torch.equal(assert_same_as_uncompiled(), seen[0])


@pytest.mark.slow
@pytest.mark.parametrize("backend", BUILT_WITH)
def test_a_step_is_compiled_once_for_all_steps_and_questions(backend: str) -> None:
    """From a static cache, as a server runs it: other facts do not compile it again."""
    given, attachment = prompt(padded=True), attach(tiny("llama"))
    with attachment.reading(reading(torch.float32)):
        expected = from_static_cache(attachment.model, given)
    with attachment.reading(reading(torch.float32, UNLIKE.flip(0))):
        others = from_static_cache(attachment.model, given)

    model: Any = attachment.model
    eager: Callable[..., Any] = model.forward
    model.forward = torch.compile(eager, fullgraph=True, backend=backend)
    with attachment.reading(reading(torch.float32)):
        torch.testing.assert_close(from_static_cache(model, given), expected, rtol=1e-4, atol=1e-4)
    with (
        torch.compiler.set_stance("fail_on_recompile"),
        attachment.reading(reading(torch.float32, UNLIKE.flip(0))),
    ):
        torch.testing.assert_close(from_static_cache(model, given), others, rtol=1e-4, atol=1e-4)
