from __future__ import annotations

from itertools import islice

from benchmarks.speed.names import invented_words


def test_words_are_alike_for_a_seed_and_differ_within_it() -> None:
    words = list(islice(invented_words(3), 2000))
    assert words == list(islice(invented_words(3), 2000))
    assert len(set(words)) == len(words)
    assert words[0] != next(invented_words(4))


def test_words_can_be_read_as_names() -> None:
    for word in islice(invented_words(0), 200):
        assert word.isalpha()
        assert word.isascii()
        assert word == word.capitalize()
