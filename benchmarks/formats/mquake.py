"""MQuAKE (Zhong et al. 2023, arXiv 2305.14795): multi-hop questions under edits.

A JSON array of cases; of each are read ``orig.new_triples_labeled`` (the chain after the edits),
``questions``, ``new_answer``, ``new_answer_alias``, ``answer``, ``single_hops`` and
``new_single_hops``. Facts are the world after every edit. Edits of different cases may contradict
each other, in a file that was not made for editing many at once.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.formats.collected import Collected, read_json


def read(path: Path) -> Collected:
    """Multi-hop questions are of kind ``portability``; a single hop is ``efficacy`` where it was
    edited, ``locality`` where it was not.
    """
    found = Collected("mquake")
    asked: set[tuple[str, str]] = set()
    for case in read_json(path):
        chain = [
            found.fact(subject, relation, object)
            for subject, relation, object in case["orig"]["new_triples_labeled"]
        ]
        for question in case["questions"]:
            found.question(
                question,
                [case["new_answer"], *case.get("new_answer_alias", ())],
                "portability",
                facts=chain,
                hops=len(chain),
                old_answers=[case["answer"], *case.get("answer_alias", ())],
            )
        before = {hop["question"]: hop for hop in case["single_hops"]}
        for hop, fact in zip(case["new_single_hops"], chain, strict=True):
            if (hop["question"], hop["answer"]) in asked:
                continue
            asked.add((hop["question"], hop["answer"]))
            old = before.get(hop["question"])
            edited = old is not None and old["answer"] != hop["answer"]
            found.question(
                hop["question"],
                [hop["answer"], *hop.get("answer_alias", ())],
                "efficacy" if edited else "locality",
                facts=[fact],
                hops=1,
                old_answers=[old["answer"]] if old is not None and edited else (),
            )
    return found
