"""Greedy decoding along a trie ends in one of its names, whatever the model would rather say."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dysk.trie import Trie

VOCABULARY = 6
END = 5
tokens = st.lists(st.integers(0, VOCABULARY - 2), min_size=1, max_size=5)
books = st.dictionaries(st.text("abc", min_size=1, max_size=3), tokens, min_size=1, max_size=6)


class Model:
    """Random logits, a function of all tokens so far; remembers what it was given."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.seen: list[int] = []
        self.passes = 0

    def __call__(self, ids: list[int]) -> Tensor:
        assert ids
        self.passes += 1
        self.seen += ids
        return self.logits(self.seen)

    def logits(self, seen: list[int]) -> Tensor:
        seed = hash((self.seed, *seen)) % 2**31
        return torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(seed))


def token_by_token(book: dict[str, list[int]], model: Model) -> list[int]:
    """The same choice without a trie: filter the names by what was said, a token at a time."""
    said: list[int] = []
    while True:
        left = [ids for ids in book.values() if ids[: len(said)] == said]
        ways = {ids[len(said)] for ids in left if len(ids) > len(said)}
        if any(len(ids) == len(said) for ids in left):
            ways.add(END)
        chosen = max(ways, key=lambda way: float(model.logits(said)[way]))
        if chosen == END:
            return said
        said.append(chosen)


@given(books, st.integers(0, 1000))
def test_what_is_said_is_a_name_and_the_one_that_a_token_by_token_choice_says(
    book: dict[str, list[int]], seed: int
) -> None:
    model = Model(seed)
    name, said = Trie(book).choose(model.logits([]), model, [END])
    assert book[name] == said
    assert said == token_by_token(book, Model(seed))
    assert model.seen == said[: len(model.seen)]


def test_where_nothing_is_to_be_chosen_the_model_is_not_asked() -> None:
    model = Model(0)
    assert Trie({"only": [1, 2, 3]}).choose(model.logits([]), model, [END]) == ("only", [1, 2, 3])
    assert model.passes == 0
    Trie({"one": [1, 2, 3], "two": [1, 2, 4]}).choose(model.logits([]), model, [END])
    assert model.passes == 1


@pytest.mark.parametrize(("end", "name"), [(1.0, "York"), (-1.0, "Yorkshire")])
def test_a_name_that_another_begins_with_ends_where_ending_is_likelier(
    end: float, name: str
) -> None:
    logits = torch.tensor([0.0, 0, 0, 0, end - 1, end])
    trie = Trie({"York": [1], "Yorkshire": [1, 2]})
    assert trie.choose(logits, lambda _: logits, [4, END])[0] == name


def test_of_names_that_look_alike_to_the_model_the_first_is_said() -> None:
    model = Model(0)
    assert Trie({"a": [1], "b": [1]}).choose(model.logits([]), model, [END])[0] == "a"


@pytest.mark.parametrize("book", [{}, {"": []}])
def test_nothing_to_choose_from_is_refused(book: dict[str, list[int]]) -> None:
    with pytest.raises(ValueError, match="at least one name"):
        Trie(book)
