from __future__ import annotations

import pytest

from benchmarks.schema import BenchmarkError
from benchmarks.systems import DEFAULT_SYSTEMS, SYSTEMS, choose_systems


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("attention", ["attention"]),
        ("rag", ["rag1", "rag8"]),
        ("rag8, rag ,attention,", ["rag8", "rag1", "attention"]),
        ("taught", ["lora", "rome", "grace"]),
        (DEFAULT_SYSTEMS, ["closed_book", "rag1", "rag8", "attention", "hybrid"]),
    ],
)
def test_names_choose_systems_once_each_in_order(names: str, expected: list[str]) -> None:
    assert [system.name for system in choose_systems(names)] == expected


@pytest.mark.parametrize("names", ["telepathy", "attention,telepathy", "", " , "])
def test_an_unknown_or_missing_name_is_refused_with_the_choices(names: str) -> None:
    with pytest.raises(BenchmarkError, match="choose among closed_book, rag1, rag8, attention"):
        choose_systems(names)


def test_the_number_in_a_rag_name_is_the_facts_in_its_prompt() -> None:
    assert (SYSTEMS["rag1"].top_k, SYSTEMS["rag8"].top_k) == (1, 8)
    assert SYSTEMS["rag1"].mode == SYSTEMS["rag8"].mode == "rag"


def test_rivals_that_read_are_asked_without_those_that_take_long_to_teach() -> None:
    reading = choose_systems("rivals")
    assert {"ike", "kblam"} <= {system.name for system in reading}
    assert not {system.name for system in reading} & {"lora", "rome", "grace"}
