"""Samples made by hand, for tests of summaries and reports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.schema import Sample, SampleEvidence

_SAMPLE = Sample(
    system="attention",
    id="q1",
    question="Who leads Norland?",
    kind="updated",
    hops=1,
    as_of="2024",
    answers=("Ada",),
    old_answers=("Bob",),
    gold_facts=("f2",),
    output="Ada",
    evidence=(SampleEvidence("f2", 0.9, 0.8),),
    correct=True,
    exact_match=True,
    f1=1.0,
    stale=False,
    abstained=False,
    grounded=True,
    hit_at_1=True,
    hit_at_k=True,
    ttft_ms=100.0,
    latency_ms=300.0,
    timings_ms={"total": 300.0, "decode": 200.0},
    usage={"prompt_tokens": 20, "completion_tokens": 3, "knowledge_tokens": 40},
)


def sample(**changes: Any) -> Sample:
    """A right answer, or what ``changes`` make of it."""
    return replace(_SAMPLE, **changes)


def wrong(**changes: Any) -> Sample:
    """A stale answer, or what ``changes`` make of it."""
    verdict = {"correct": False, "exact_match": False, "f1": 0.0, "stale": True}
    return sample(output="Bob", **{**verdict, **changes})


def failed(**changes: Any) -> Sample:
    """An ask that raised an error."""
    nothing: dict[str, Any] = {
        "output": "",
        "stale": False,
        "ttft_ms": None,
        "latency_ms": None,
        "timings_ms": {},
        "usage": {},
        "evidence": (),
        "hit_at_1": False,
        "hit_at_k": False,
        "error": "invalid_question: too long",
    }
    return replace(wrong(), **{**nothing, **changes})
