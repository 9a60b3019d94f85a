from __future__ import annotations

import json
from collections import Counter
from itertools import groupby

from benchmarks.speed.invented_facts import fact_lines, relation_lines
from graph import MemoryStore, parse_date
from graph.interchange import jsonl


def test_lines_are_alike_for_a_seed_and_differ_between_seeds() -> None:
    lines = list(fact_lines(500, 3))
    assert lines == list(fact_lines(500, 3))
    assert lines != list(fact_lines(500, 4))
    assert len(set(lines)) == len(lines) == 500


def test_every_line_can_be_stored() -> None:
    store = MemoryStore()
    report = jsonl.load(store, [*relation_lines(), *fact_lines(300)])
    assert (report.added, report.unchanged, report.bad) == (300, 0, [])
    cardinalities = Counter(each.cardinality for each in store.snapshot().relations())
    assert cardinalities["one"] == cardinalities["many"]


def test_facts_of_a_slot_follow_one_another_in_time() -> None:
    records = [json.loads(line) for line in fact_lines(300)]
    slots = groupby(records, key=lambda each: (each["subject"], each["relation"]))
    lengths = []
    for _, slot in slots:
        facts = list(slot)
        starts = [parse_date(fact["valid_from"]).start for fact in facts]
        assert starts == sorted(starts)
        lengths.append(len(facts))
    assert max(lengths) == 3


def test_a_few_entities_are_named_often() -> None:
    named = Counter(json.loads(line)["object"] for line in fact_lines(3000))
    often = [count for _, count in named.most_common(len(named) // 10)]
    assert sum(often) > 3000 / 4
