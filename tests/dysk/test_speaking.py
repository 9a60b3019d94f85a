from __future__ import annotations

import pytest

from dysk.candidates import Candidate
from dysk.language_model import LanguageModel, Spoken
from dysk.speaking import Speaker
from dysk.stopwatch import Stopwatch
from graph.fact import Fact
from tests.contracts.tiny_model import HEADS

FOUND = [
    Candidate(Fact("f1", "Oklahoma", "senator", "Tom Coburn"), "The senator is Tom Coburn.", 1)
]


@pytest.mark.parametrize(
    ("repairs", "text", "grounded"),
    [(False, "It is Tom Cobburn.", False), (True, "It is Tom Coburn.", True)],
)
def test_rag_is_repaired_only_where_it_is_asked_for(
    tiny_model: LanguageModel,
    monkeypatch: pytest.MonkeyPatch,
    repairs: bool,
    text: str,
    grounded: bool,
) -> None:
    said = Spoken("It is Tom Cobburn.", 20, 5, 1.0, 1.0)
    monkeypatch.setattr(tiny_model, "speak", lambda *_, **__: said)
    found = Speaker(tiny_model, HEADS, str, repairs).speak(
        "Who is it?",
        "rag",
        FOUND,
        lambda entity: (entity,),
        top_k=1,
        grounding="check",
        max_tokens=9,
        watch=Stopwatch(),
    )
    assert (found.text, found.grounded) == (text, grounded)


def test_an_evasive_rag_is_begun_with_the_best_fact_s_words(
    tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    openings: list[str] = []

    def speak(*_: object, opening: str = "", **__: object) -> Spoken:
        openings.append(opening)
        return Spoken(opening + " Tom Coburn." if opening else "I see.", 20, 5, 1.0, 1.0)

    monkeypatch.setattr(tiny_model, "speak", speak)
    found = Speaker(tiny_model, HEADS, str, repairs_rag=True).speak(
        "Who is it?",
        "rag",
        FOUND,
        lambda entity: (entity,),
        top_k=1,
        grounding="check",
        max_tokens=9,
        watch=Stopwatch(),
    )
    assert openings == ["", "The senator is"]
    assert (found.text, found.spoken_object) == ("The senator is Tom Coburn.", "Tom Coburn")
