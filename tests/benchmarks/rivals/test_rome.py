"""The closed form, which is exact, and an edit of a random model."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from benchmarks.rivals.rome import Rome, inserted, sampled_texts, second_moment
from benchmarks.rivals.teaching import Lesson, TeachableModel

SEEDS = st.integers(0, 2**31)
ADA = Lesson("Norland", "What is the king of Norland?", "The king of Norland is", "Ada")


def memory(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A matrix W [5, 8], the second moment of 100 keys, a key and a value, in float64."""
    chance = torch.Generator().manual_seed(seed)
    weight, keys, key, value = (
        torch.randn(*size, generator=chance, dtype=torch.float64)
        for size in ((5, 8), (100, 8), (8,), (5,))
    )
    return weight, second_moment(iter([keys[:60], keys[60:]])).double(), key, value


def cost(change: Tensor, moment: Tensor) -> Tensor:
    """How much a change alters what is given for usual keys, squared and on average."""
    return torch.trace(change @ moment @ change.T)


@given(SEEDS)
def test_the_edited_matrix_gives_the_value_for_the_key(seed: int) -> None:
    weight, moment, key, value = memory(seed)
    torch.testing.assert_close(inserted(weight, moment, key, value) @ key, value)


@given(SEEDS)
def test_no_other_matrix_that_gives_the_value_changes_usual_keys_less(seed: int) -> None:
    weight, moment, key, value = memory(seed)
    change = inserted(weight, moment, key, value) - weight
    other = torch.randn(
        5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 1)
    )
    elsewhere = other - torch.outer(other @ key, key) / (key @ key)
    torch.testing.assert_close((change + elsewhere) @ key, change @ key)
    assert cost(change, moment) <= cost(change + elsewhere, moment) + 1e-9


@given(SEEDS)
def test_keys_unlike_the_edited_one_as_the_moment_sees_it_keep_their_values(seed: int) -> None:
    weight, moment, key, value = memory(seed)
    direction = torch.linalg.solve(moment, key)
    other = torch.randn(8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + 1))
    unlike = other - (other @ direction) / (direction @ direction) * direction
    torch.testing.assert_close(inserted(weight, moment, key, value) @ unlike, weight @ unlike)


def test_the_moment_is_the_mean_of_outer_products_but_for_its_ridge() -> None:
    keys = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    expected = torch.einsum("ni,nj->ij", keys, keys) / 200
    ridge = second_moment(iter([keys])) - expected
    torch.testing.assert_close(
        ridge, 1e-3 * expected.diagonal().mean() * torch.eye(6), atol=1e-6, rtol=0
    )
    with pytest.raises(ValueError, match="no text"):
        second_moment(iter([]))


@pytest.fixture
def rome(teachable: TeachableModel, monkeypatch: pytest.MonkeyPatch) -> Rome:
    monkeypatch.setattr("benchmarks.rivals.rome._TOKENS", 1024)
    return Rome(teachable)


def probability(model: TeachableModel, lesson: Lesson) -> float:
    """The log-probability of the sentence as an answer to the question."""
    asked = [*model.head_ids, *model.question_ids(lesson.question, closed=True)]
    said = torch.tensor(model.draft_ids(lesson.sentence))
    logits = model.continued(
        model.read(asked[:-1]), torch.tensor([[asked[-1], *said[:-1]]]), keep=len(said)
    )
    return float(logits[0].log_softmax(-1)[torch.arange(len(said)), said].sum().detach())


def test_an_edit_makes_the_sentence_likelier_and_touches_one_matrix_alone(rome: Rome) -> None:
    before = {name: each.clone() for name, each in rome.model.model.named_parameters()}
    unlikely = probability(rome.model, ADA)
    rome.learn([ADA])
    assert probability(rome.model, ADA) > unlikely + 2
    changed = [
        name
        for name, each in rome.model.model.named_parameters()
        if not torch.equal(each, before[name])
    ]
    assert changed == ["model.layers.0.mlp.down_proj.weight"]


def test_the_edited_layer_gives_the_value_found_for_the_key_found(
    rome: Rome, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[Tensor, Tensor]] = []
    value_of = rome.value

    def watched(lesson: Lesson, key: Tensor) -> Tensor:
        found.append((key, value_of(lesson, key)))
        return found[-1][1]

    monkeypatch.setattr(rome, "value", watched)
    rome.learn([ADA])
    [(key, value)] = found
    given_now = rome.model.model.base_model.layers[0].mlp.down_proj(key)
    torch.testing.assert_close(given_now, value, atol=1e-3, rtol=1e-3)


def test_what_the_model_says_already_is_not_edited(
    rome: Rome, monkeypatch: pytest.MonkeyPatch
) -> None:
    rome.learn([])
    monkeypatch.setattr("benchmarks.rivals.rome._SURE", 1e-300)
    before = rome.model.model.base_model.layers[0].mlp.down_proj.weight.clone()
    rome.learn([ADA])
    after = rome.model.model.base_model.layers[0].mlp.down_proj.weight
    torch.testing.assert_close(after, before, atol=1e-6, rtol=1e-6)


def test_texts_before_a_subject_are_the_same_each_time_and_leave_chance_alone(
    teachable: TeachableModel,
) -> None:
    torch.manual_seed(5)
    texts = sampled_texts(teachable)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))
    assert texts == sampled_texts(teachable)
    assert len(set(texts)) > 1
