"""While a guess is read the model's queries are recorded, and a choice can end the pass."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from dysk.attention import Attachment, Probe, Reading, Reconsidered, SecondLook, attach
from tests.dysk.attention.tiny import LAYERS, filled_memory, logits, prompt, tiny

MEMORY = filled_memory()
GUESS = torch.tensor([[0, 3], [4, 2]])


@pytest.fixture(autouse=True)
def _no_gradients() -> object:
    with torch.inference_mode():
        yield


def reading(
    agrees: Callable[[Probe], bool] | None = None, layers: frozenset[int] = frozenset({0})
) -> Reading:
    look = None if agrees is None else SecondLook(Probe(layers), agrees)
    return Reading(MEMORY, GUESS, k=2, second_look=look)


class Agreeing:
    """Agrees with every guess, and keeps what it was shown."""

    def __init__(self) -> None:
        self.shown: list[Probe] = []

    def __call__(self, probe: Probe) -> bool:
        self.shown.append(probe)
        return True


def read(attachment: Attachment, of: Reading) -> torch.Tensor:
    with attachment.reading(of):
        return logits(attachment.model, prompt())


def test_a_look_that_agrees_changes_no_logit() -> None:
    attachment = attach(tiny("llama"))
    assert read(attachment, reading(Agreeing())).equal(read(attachment, reading()))


def test_it_sees_the_queries_of_its_layers_as_they_are_while_the_guess_is_read() -> None:
    attachment = attach(tiny("llama"))
    look, everywhere = Agreeing(), frozenset(range(LAYERS))
    read(attachment, reading(look, everywhere))
    with attachment.probing(everywhere) as plain:
        logits(attachment.model, prompt())
    (looked,) = look.shown
    assert looked.seen.keys() == everywhere
    # The first layer's queries come before anything was read; later ones have read.
    assert looked.seen[0][0].equal(plain.seen[0][0])
    assert looked.seen[0][1].equal(plain.seen[0][1])
    assert not looked.seen[1][0].equal(plain.seen[1][0])


def test_a_look_that_disagrees_ends_the_pass_at_its_last_layer() -> None:
    attachment = attach(tiny("llama"))
    asked: list[int] = []

    def disagrees(probe: Probe) -> bool:
        asked.append(len(probe.seen))
        return False

    with pytest.raises(Reconsidered):
        read(attachment, reading(disagrees))
    assert asked == [1]
    assert attachment.active is None
    assert read(attachment, reading()).isfinite().all()


def test_one_look_is_taken_however_many_passes_follow() -> None:
    attachment = attach(tiny("llama"))
    look = Agreeing()
    of = reading(look)
    with attachment.reading(of):
        logits(attachment.model, prompt())
        logits(attachment.model, prompt())
    assert len(look.shown) == 1
    assert of.second_look is None
