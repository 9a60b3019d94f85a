"""EasyEdit's and KnowEdit's JSON (Zhang et al. 2024, arXiv 2401.01286): edits and what they test.

A JSON array of edits with ``subject``, ``prompt`` and ``target_new``; optionally ``rephrase`` or
``rephrase_prompt``, ``ground_truth``, and ``portability`` and ``locality``, which map names to
lists of ``{prompt, ground_truth}``. The older ZsRE files say ``src``, ``alt``, ``loc`` and
``loc_ans``. An edit is a pair of a prompt and its answer, so the prompt with the subject left out
stands for the relation, and the fact is worded as prompt and answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.formats.collected import Collected, read_json


def read(path: Path) -> Collected:
    """Kinds are EasyEdit's metrics: ``efficacy``, ``generalisation``, ``portability``,
    ``locality``.
    """
    found = Collected("knowedit")
    for edit in read_json(path):
        prompt = edit.get("prompt") or edit["src"]
        target = edit.get("target_new") or edit["alt"]
        subject = edit["subject"]
        relation = prompt.replace(subject, "…").strip()
        if subject in prompt and not {"{", "}"} & set(prompt):
            found.relation(relation, prompt.replace(subject, "{subject}") + " {object}")
        fact = found.fact(subject, relation, target)
        old = [text for text in _texts(edit.get("ground_truth")) if text != target]
        found.question(prompt, [target], "efficacy", facts=[fact], hops=1, old_answers=old)
        for other in _texts(edit.get("rephrase") or edit.get("rephrase_prompt")):
            found.question(other, [target], "generalisation", facts=[fact], hops=1)
        for kind in ("portability", "locality"):
            for asked, answers in _tests(edit.get(kind)):
                found.question(asked, answers, kind)
        if edit.get("loc"):
            asked = edit["loc"].removeprefix("nq question: ").rstrip("?") + "?"
            found.question(asked, _texts(edit["loc_ans"]), "locality")
        if edit.get("locality_prompt"):
            found.question(
                edit["locality_prompt"], _texts(edit["locality_ground_truth"]), "locality"
            )
    return found


def _tests(groups: Mapping[str, Any] | None) -> Iterator[tuple[str, list[str]]]:
    for tests in (groups or {}).values():
        for test in tests if isinstance(tests, list) else [tests]:
            answers = _texts(test.get("ground_truth"))
            for prompt in _texts(test["prompt"]):
                # Without an answer there is nothing to score: it is no unanswerable question.
                if answers:
                    yield prompt, answers


def _texts(value: Any) -> list[str]:
    """A text, or lists of texts at any depth, as one list."""
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) and value.strip() else []
