"""The frozen model: how its prompts are laid out, what a block is, and when it stops speaking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache

from dysk.attention import Unattachable
from dysk.errors import InvalidQuestion, ModelUnavailable
from dysk.language_model import INSTRUCTION, LanguageModel
from dysk.workspace import Workspace
from tests.contracts.tiny_model import save_tiny_model

SENTENCES = [
    "The king of Zembla is Charles.",
    "Onhava.",
    "The king of Zembla is Charlie.",  # as many characters, so one batch
    "A much longer sentence about the towers and the glass of Onhava.",
    "Onhava.",
]


@pytest.fixture(scope="module")
def real(real_models: Workspace) -> LanguageModel:
    return real_models.model()


@pytest.fixture(params=["tiny", "real"])
def model(request: pytest.FixtureRequest) -> LanguageModel:
    name = "tiny_model" if request.param == "tiny" else "real"
    found: LanguageModel = request.getfixturevalue(name)
    return found


both = pytest.mark.parametrize(
    "model", ["tiny", pytest.param("real", marks=pytest.mark.models)], indirect=True
)


# -- blocks ---------------------------------------------------------------------------------------


def tolerance(model: LanguageModel) -> float:
    """A few roundings of float32 at the size of the numbers compared."""
    keys, values = model.encode_blocks(["Onhava."])[0]
    return 1e-4 * float(max(keys.abs().max(), values.abs().max()))


@both
def test_a_block_depends_on_its_sentence_only(model: LanguageModel) -> None:
    together = model.encode_blocks(SENTENCES)
    for sentence, (keys, values) in zip(SENTENCES, together, strict=True):
        ((alone_keys, alone_values),) = model.encode_blocks([sentence])
        assert (keys - alone_keys).abs().max() < tolerance(model)
        assert (values - alone_values).abs().max() < tolerance(model)
    assert torch.equal(together[1][0], together[4][0])
    assert not torch.equal(together[0][0], together[2][0])


@both
def test_a_block_is_what_the_model_computes_for_the_line_behind_the_prefix(
    model: LanguageModel,
) -> None:
    sentence = SENTENCES[0]
    prefix, line = model._facts_prefix.ids, model.fact_ids(sentence)
    cache = DynamicCache()
    with torch.inference_mode():
        model.model(torch.tensor([prefix + line]), past_key_values=cache, use_cache=True)
    ((keys, values),) = model.encode_blocks([sentence])
    assert keys.shape == values.shape
    assert keys.shape[1] == len(line)
    layers: Any = cache.layers
    for layer, whole in enumerate(layers):
        for block, full in ((keys, whole.keys), (values, whole.values)):
            expected: Tensor = full[0, :, len(prefix) :].transpose(0, 1)  # [T, KVH, D]
            assert (block[layer] - expected).abs().max() < tolerance(model)


def test_no_sentence_is_no_block(tiny_model: LanguageModel) -> None:
    assert tiny_model.encode_blocks([]) == []


# -- prompts --------------------------------------------------------------------------------------


def prompt(model: LanguageModel, facts: list[str], question: str) -> str:
    ids = [*model._facts_prefix.ids]
    for fact in facts:
        ids += model.fact_ids(fact)
    text: str = model.tokenizer.decode([*ids, *model.question_ids(question)])
    return text


def test_without_a_chat_template_the_prompt_is_plain_text(tiny_model: LanguageModel) -> None:
    assert prompt(tiny_model, ["A.", "B."], "Who?") == (
        f"{INSTRUCTION}- A.\n- B.\n\nQuestion: Who?\nAnswer:"
    )
    closed = [*tiny_model._closed_prefix.ids, *tiny_model.question_ids("Who?", closed=True)]
    assert tiny_model.tokenizer.decode(closed) == "Who?\nAnswer:"


@pytest.mark.models
def test_the_prompt_is_what_the_chat_template_makes_of_it(real: LanguageModel) -> None:
    def rendered(message: str) -> str:
        text: str = real.tokenizer.apply_chat_template(
            [{"role": "user", "content": message}], tokenize=False, add_generation_prompt=True
        )
        return text

    question = "Who is the king?"
    expected = rendered(f"{INSTRUCTION}- A.\n- B.\n\nQuestion: {question}")
    assert prompt(real, ["A.", "B."], question) == expected
    closed = [*real._closed_prefix.ids, *real.question_ids(question, closed=True)]
    assert real.tokenizer.decode(closed) == rendered(question)


def test_a_question_beyond_half_of_what_the_model_reads_is_refused(
    tiny_model: LanguageModel,
) -> None:
    room = tiny_model.max_tokens // 2 - len(tiny_model.question_ids(""))
    assert len(tiny_model.question_ids("x" * room)) == tiny_model.max_tokens // 2
    with pytest.raises(InvalidQuestion, match="ask a shorter question"):
        tiny_model.question_ids("x" * (room + 1))


@pytest.mark.models
def test_the_longest_question_fits_into_the_default_model(real: LanguageModel) -> None:
    assert len(real.question_ids("Who? " * 800)) <= real.max_tokens // 2


# -- speaking -------------------------------------------------------------------------------------


@both
def test_the_same_question_gets_the_same_words_whatever_was_asked_between(
    model: LanguageModel,
) -> None:
    ids = model.question_ids("Who is the king of Zembla?")
    first = model.speak(ids, max_tokens=6)
    model.speak(model.question_ids("What is Onhava?"), max_tokens=6)
    model.encode_blocks(SENTENCES)
    again = model.speak(ids, max_tokens=6)
    assert (first.text, first.completion_tokens) == (again.text, again.completion_tokens)


@both
def test_tokens_are_counted_and_bounded(model: LanguageModel) -> None:
    ids = model.question_ids("Who is the king of Zembla?")
    for most in (1, 3):
        spoken = model.speak(ids, max_tokens=most)
        assert spoken.completion_tokens <= most
        assert spoken.prompt_tokens == len(model._facts_prefix.ids) + len(ids)
    line = model.fact_ids("The king of Zembla is Charles.")
    with_fact = model.speak(ids, context=[line], max_tokens=1)
    assert with_fact.prompt_tokens == spoken.prompt_tokens + len(line)
    closed = model.speak(model.question_ids("Who?", closed=True), closed=True, max_tokens=1)
    assert closed.prompt_tokens < spoken.prompt_tokens


@pytest.mark.models
def test_an_answer_is_one_line_and_ends_by_itself(real: LanguageModel) -> None:
    line = real.fact_ids("The king of Zembla is Charles.")
    spoken = real.speak(
        real.question_ids("Who is the king of Zembla?"), context=[line], max_tokens=48
    )
    assert "Charles" in spoken.text
    assert "\n" not in spoken.text
    assert spoken.completion_tokens < 30
    assert spoken.prefill_ms > 0


@both
def test_every_way_to_begin_a_line_ends_an_answer(model: LanguageModel) -> None:
    for text in ("\n", "\n\n"):
        assert model._ids(text)[0] in model._stop
    assert model.tokenizer.eos_token_id in model._stop
    # A token of a name must not end it.
    assert not set(model._ids("The king of Zembla is Charles the Beloved")) & model._stop


# -- loading --------------------------------------------------------------------------------------


def test_a_model_of_another_kind_is_refused_with_what_would_do(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = save_tiny_model(tmp_path)
    config = GPT2Config(vocab_size=110, n_embd=16, n_layer=1, n_head=2, n_positions=64)
    GPT2LMHeadModel(config).save_pretrained(folder)
    with pytest.raises(Unattachable, match="such as llama"):
        LanguageModel(folder, memory_bytes=1 << 20)


def test_a_folder_that_is_none_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="check the files"):
        LanguageModel(tmp_path / "nothing")


def test_models_loaded_twice_do_not_share_state(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path)
    first, second = (LanguageModel(folder, memory_bytes=1 << 20) for _ in range(2))
    first.memory.lease([("f1", "Onhava.")]).release()
    assert (first.memory.stats.blocks, second.memory.stats.blocks) == (1, 0)
    assert first.fingerprint == second.fingerprint
