"""A probe records the model's own queries and stops the pass as soon as it has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from dysk.attention import Attachment, Probe, attach
from tests.dysk.attention.tiny import HEAD_DIM, KINDS, KV_HEADS, logits, prompt, tiny

ALL = frozenset({0, 1, 2})


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def probe(attachment: Attachment, layers: frozenset[int], *, padded: bool = False) -> Probe:
    with attachment.probing(layers) as probe:
        logits(attachment.model, prompt(padded=padded))
    return probe


def layers_run(model: Any) -> list[int]:
    """Fills with the numbers of layers that finish."""
    finished: list[int] = []
    for number, layer in enumerate(model.model.layers):
        layer.register_forward_hook(lambda *_, number=number: finished.append(number))
    return finished


@pytest.mark.parametrize(
    ("layers", "finished"), [({0}, []), ({1}, [0]), ({0, 1}, [0]), ({0, 2}, [0, 1])]
)
def test_no_layer_runs_past_the_attention_of_the_last_one_wanted(
    layers: set[int], finished: list[int]
) -> None:
    model = tiny("llama", num_hidden_layers=3)
    run = layers_run(model)
    seen = probe(attach(model), frozenset(layers)).seen
    assert run == finished
    assert seen.keys() == layers


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_pass_records_what_a_full_one_does(kind: str) -> None:
    attachment = attach(tiny(kind, num_hidden_layers=3))
    full, real = probe(attachment, ALL, padded=True).seen, prompt(padded=True).real.bool()
    for wanted in ({0}, {1}, {0, 2}):
        seen = probe(attachment, frozenset(wanted), padded=True).seen
        for layer in wanted:
            (query, lse, scale), (full_query, full_lse, full_scale) = seen[layer], full[layer]
            assert torch.equal(query.transpose(1, 2)[real], full_query.transpose(1, 2)[real])
            assert torch.equal(lse.transpose(1, 2)[real], full_lse.transpose(1, 2)[real])
            assert scale == full_scale


def test_queries_are_rotated_and_lse_is_that_of_the_context() -> None:
    model: Any = tiny("llama")
    heads: dict[str, Tensor] = {}
    first = model.model.layers[0].self_attn
    for name in ("q_proj", "k_proj"):
        getattr(first, name).register_forward_hook(
            lambda *call, name=name: heads.update({name: call[2].unflatten(2, (-1, HEAD_DIM))})
        )
    query, lse, scale = probe(attach(model), frozenset({0})).seen[0]

    length = query.shape[2]
    cos, sin = model.model.rotary_emb(query, torch.arange(length)[None])
    q, k = heads["q_proj"].transpose(1, 2), heads["k_proj"].transpose(1, 2)
    q, k = apply_rotary_pos_emb(q, k, cos, sin)
    assert torch.equal(query, q)
    assert scale == HEAD_DIM**-0.5
    grouped = q.double().unflatten(1, (KV_HEADS, -1))
    scores = torch.einsum("bhgid,bhjd->bhgij", grouped, k.double()).flatten(1, 2) * scale
    future = torch.ones(length, length, dtype=torch.bool).triu(1)
    expected = scores.masked_fill(future, -torch.inf).logsumexp(-1)
    torch.testing.assert_close(lse.double(), expected, rtol=1e-5, atol=1e-5)


def test_after_a_probe_the_model_is_idle_again() -> None:
    attachment = attach(tiny("llama"))
    probe(attachment, frozenset({0}))
    assert torch.equal(logits(attachment.model, prompt()), logits(tiny("llama"), prompt()))
    assert probe(attachment, frozenset({1})).seen.keys() == {1}


def test_an_error_inside_a_probe_is_raised_and_ends_it() -> None:
    attachment = attach(tiny("llama"))
    with pytest.raises(KeyError, match="unrelated"), attachment.probing(frozenset({0})):
        raise KeyError("unrelated")
    assert probe(attachment, frozenset({0})).seen.keys() == {0}
