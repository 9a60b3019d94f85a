"""``--model dysk``: a graph in this process, or one of a running service.

    python -m benchmarks.lm_eval run --model dysk --model_args data=world.dysk --tasks dysk_updates

The harness hands over a prompt and takes back a text; everything else that an answer of dysk has is
not seen by it. It scores continuations for other tasks, which dysk cannot do: it answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, get_args

import lm_eval.models  # noqa: F401 (the harness's own, which would not be found after dysk)
from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

from benchmarks.schema import BenchmarkError
from dysk.answer import Answer, Mode
from dysk.client import Dysk


class Instance(Protocol):
    """A request of the harness: a prompt, and how to generate."""

    args: tuple[Any, ...]


class Graph(Protocol):
    """What is asked: a graph here or in a service."""

    def ask(self, question: str, *, mode: Mode = "attention") -> Answer:
        """Answer a question."""
        ...


@register_model("dysk")
class DyskModel(LM):  # type: ignore[misc]
    """Answers prompts from a graph. Give ``data``, a data folder, or ``url``, a service; ``graph``
    is its name, and ``mode`` how it answers. Raises BenchmarkError.
    """

    def __init__(
        self,
        data: str | None = None,
        url: str | None = None,
        graph: str = "default",
        mode: Mode = "attention",
        **_: Any,
    ) -> None:
        super().__init__()
        if (data is None) == (url is None):
            raise BenchmarkError("give --model_args data=FOLDER or url=http://…, one of the two")
        if mode not in get_args(Mode):
            raise BenchmarkError(f"there is no mode {mode!r}: choose among {get_args(Mode)}")
        self._mode: Mode = mode
        self._graph: Graph = (
            Dysk.connect(url, graph=graph) if url else Dysk.open(str(data), graph=graph)
        )

    def generate_until(self, requests: Sequence[Instance], disable_tqdm: bool = False) -> list[str]:
        """An answer to each prompt: one line, whatever the task would stop at."""
        return [self._graph.ask(request.args[0], mode=self._mode).text for request in requests]

    def loglikelihood(self, requests: Sequence[Instance]) -> list[tuple[float, bool]]:
        """Raises BenchmarkError: an answer has no likelihood of some other text."""
        raise BenchmarkError(
            "dysk answers questions and scores no continuations: "
            "choose tasks whose output_type is generate_until"
        )

    def loglikelihood_rolling(self, requests: Sequence[Instance]) -> list[float]:
        """Raises BenchmarkError; see ``loglikelihood``."""
        self.loglikelihood(requests)
        return []
