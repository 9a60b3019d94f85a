from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertConfig, BertModel

from dysk.retrieval import bert
from dysk.retrieval.bert import Bert, best_dtype, is_plain_bert


def small_model(**changes: object) -> BertModel:
    """Random weights, norms and biases included, so that a forgotten part shows."""
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 50,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 96,
        "max_position_embeddings": 32,
    }
    model = BertModel(BertConfig(**(sizes | changes)), add_pooling_layer=False).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(0.3 * torch.randn_like(weight))
    return model


MODEL = small_model()


@st.composite
def batches(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids [N, T] and which of them are not padding."""
    texts = draw(
        st.lists(st.lists(st.integers(0, 49), min_size=1, max_size=9), min_size=1, max_size=4)
    )
    longest = max(map(len, texts))
    ids = torch.tensor([text + [0] * (longest - len(text)) for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts])
    return ids, mask


@pytest.mark.parametrize("has_onednn", [True, False])
@settings(max_examples=30, deadline=None)
@given(batch=batches())
def test_it_computes_what_the_model_computes(
    has_onednn: bool, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    ids, mask = batch
    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        if not has_onednn:
            patch.setattr(bert, "_has_onednn", lambda: False)
        expected = MODEL(input_ids=ids, attention_mask=mask).last_hidden_state
        found = Bert(MODEL, torch.float32)(ids, mask)
    real = mask.bool()
    torch.testing.assert_close(found[real], expected[real], atol=2e-4, rtol=2e-4)


@settings(max_examples=20, deadline=None)
@given(batch=batches())
def test_half_as_long_weights_turn_no_vector_far(
    batch: tuple[torch.Tensor, torch.Tensor],
) -> None:
    ids, mask = batch
    with torch.inference_mode():
        expected = MODEL(input_ids=ids, attention_mask=mask).last_hidden_state
        found = Bert(MODEL, torch.bfloat16)(ids, mask)
    assert found.dtype == torch.float32
    cosines = torch.cosine_similarity(found, expected, dim=-1)[mask.bool()]
    assert cosines.min() > 0.99


def test_only_models_that_compute_the_same_are_taken_for_plain() -> None:
    assert is_plain_bert(MODEL)
    assert not is_plain_bert(small_model(hidden_act="relu"))
    assert not is_plain_bert(small_model(is_decoder=True))


def test_weights_are_shortened_only_where_the_processor_multiplies_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert best_dtype() == torch.float32
