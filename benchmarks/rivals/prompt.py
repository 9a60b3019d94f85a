"""Facts in the prompt: RAG with any ranker, the gold facts alone, and IKE's demonstrations."""

from __future__ import annotations

from benchmarks.rivals.bm25 import BM25
from benchmarks.rivals.corpus import Corpus
from benchmarks.rivals.dense import Ranker
from benchmarks.rivals.protocol import MAX_TOKENS, Models, abstention, answer
from benchmarks.schema import Question
from dysk.answer import Answer, Mode, Usage
from dysk.attention.invented import invent
from dysk.speaking import Said, evidence_of
from dysk.stopwatch import Stopwatch
from graph.fact import Fact

_RETAINED = (
    ("What is the capital of France?", "Paris"),
    ("How many days does a week have?", "Seven"),
)
_COPIED = 2
_UPDATED = 2


class PromptRag:
    """The best ``count`` facts stand in the prompt, in the words and order of dysk's own RAG."""

    def __init__(self, models: Models, ranker: Ranker, count: int) -> None:
        self._models = models
        self._corpus = Corpus(models, ranker)
        self._count = count

    def update(self, fact: Fact) -> None:
        """Index the fact."""
        self._corpus.update(fact)

    def ask(self, question: Question) -> Answer:
        """Retrieve, then speak; abstain where nothing is found."""
        watch = Stopwatch()
        with watch.stage("time"):
            asked = self._corpus.read(question)
        with watch.stage("coarse"):
            found = self._corpus.find(asked, self._count)
        if not found:
            return abstention("rag", asked.period.text, watch)
        said = self._models.speaker.speak(
            question.question,
            "rag",
            found,
            self._models.names,
            top_k=self._count,
            grounding="check",
            max_tokens=MAX_TOKENS,
            watch=watch,
        )
        return answer(said, "rag", asked.period.text, watch)


class Oracle:
    """The gold facts of the question in the prompt: what reading could reach if finding were
    perfect.

    A question without gold facts is asked closed book.
    """

    def __init__(self, models: Models) -> None:
        self._models = models
        self._corpus = Corpus(models, BM25())

    def update(self, fact: Fact) -> None:
        """Know the fact by its id."""
        self._corpus.update(fact)

    def ask(self, question: Question) -> Answer:
        """Speak from the gold facts and no others."""
        watch = Stopwatch()
        asked = self._corpus.read(question)
        gold = self._corpus.known(question.facts)
        mode: Mode = "rag" if gold else "closed_book"
        said = self._models.speaker.speak(
            question.question,
            mode,
            gold,
            self._models.names,
            top_k=max(1, len(gold)),
            grounding="check",
            max_tokens=MAX_TOKENS,
            watch=watch,
        )
        return answer(said, mode, asked.period.text, watch)


class Ike:
    """In-context editing (Zheng et al. 2023, arXiv 2305.12740): demonstrations of how a new fact
    changes answers, then the new fact, then the question.

    The demonstrations are of the paper's three kinds, in its order of use: *copy* (the question is
    the fact's own), *update* (it is another wording) and *retain* (the fact is about something
    else). They are invented, but for what is retained. The paper shows 32 and is given the fact
    that was edited; here there are 6, as a prompt of 32 takes a small model minutes, and the fact
    is the best that retrieval finds.
    """

    def __init__(self, models: Models, ranker: Ranker) -> None:
        self._models = models
        self._corpus = Corpus(models, ranker)
        self._demonstrations = demonstrations()

    def update(self, fact: Fact) -> None:
        """Index the fact."""
        self._corpus.update(fact)

    def ask(self, question: Question) -> Answer:
        """Demonstrations, the fact found, the question."""
        watch = Stopwatch()
        with watch.stage("time"):
            asked = self._corpus.read(question)
        with watch.stage("coarse"):
            found = self._corpus.find(asked, 1)
        if not found:
            return abstention("rag", asked.period.text, watch)
        model, fact = self._models.language, found[0]
        spoken = model.speak(
            model.question_ids(f"Question: {question.question}\nAnswer:", closed=True),
            closed=True,
            context=[
                model.draft_ids(self._demonstrations),
                model.draft_ids(f"New fact: {fact.text}\n"),
            ],
            drafts=[model.draft_ids(fact.text)],
            max_tokens=MAX_TOKENS,
        )
        watch.add(spoken.prefill_ms, "prefill")
        watch.add(spoken.decode_ms, "decode")
        said = Said(
            spoken.text,
            (evidence_of(fact, None),),
            Usage(spoken.prompt_tokens, spoken.completion_tokens),
        )
        return answer(said, "rag", asked.period.text, watch)


def demonstrations() -> str:
    """The demonstrations as text; the same at every call."""
    facts = invent(_COPIED + _UPDATED + len(_RETAINED))
    shown = []
    for number, fact in enumerate(facts):
        sentence = f"The {fact.relation} of {fact.subject} is {fact.object}."
        if number < _COPIED:
            asked, said = f"What is the {fact.relation} of {fact.subject}?", fact.object
        elif number < _COPIED + _UPDATED:
            asked, said = fact.question, fact.object
        else:
            asked, said = _RETAINED[number - _COPIED - _UPDATED]
        shown.append(f"New fact: {sentence}\nQuestion: {asked}\nAnswer: {said}\n\n")
    return "".join(shown)
