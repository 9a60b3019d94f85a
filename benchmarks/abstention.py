"""``python -m benchmarks.abstention FACTS QUESTIONS``: does a graph say what it does not know?

A sample of one-hop questions is asked twice: of all facts, where abstaining is wrong, and of all
facts but those in the slots that answer the sample, where it is right. No language model takes
part: whether to abstain is settled before one reads.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.load import load_facts
from benchmarks.run import draw
from benchmarks.schema import Question, open_lines, read_questions
from dysk.calibration import calibration_for
from dysk.candidates import read_query, read_time, retrieve
from dysk.client import Dysk
from dysk.engine import asked_period
from dysk.relevance import FAR
from dysk.retrieval.encoder import Encoder
from dysk.workspace import Workspace

_CANDIDATES = 32


def main() -> None:
    """Print counts, precision and recall of abstaining as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("facts", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--limit", type=int, default=150)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--strict", action="store_true", help="as under strict grounding")
    options = parser.parse_args()
    asked = [q for q in read_questions(options.questions) if (q.hops or 1) == 1 and q.facts]
    with tempfile.TemporaryDirectory() as folder:
        sample = draw(asked, options.limit, options.seed)
        report = measure(Path(folder), options.facts, sample, options.strict)
    print(json.dumps(report))


def measure(
    folder: Path, facts: Path, questions: Sequence[Question], strict: bool
) -> dict[str, float]:
    """Shares of abstentions with and without the facts, and precision and recall from them."""
    reduced = folder / "reduced.jsonl"
    reduced.write_bytes(b"".join(without_the_slots(facts, questions)))
    with Workspace(folder) as workspace:
        encoder = workspace.encoder()
        lost, told = (
            abstentions(_loaded(workspace, name, path), encoder, questions, strict)
            for name, path in (("whole", facts), ("reduced", reduced))
        )
    return {
        "questions": len(questions),
        "abstained_with_facts": round(lost / len(questions), 4),
        "abstained_without": round(told / len(questions), 4),
        "precision": round(told / max(1, told + lost), 4),
        "recall": round(told / len(questions), 4),
    }


def without_the_slots(facts: Path, questions: Sequence[Question]) -> Iterator[bytes]:
    """Lines of a fact file but those of a subject and relation that answer one of the questions."""
    gone = {fact for question in questions for fact in question.facts}
    records: list[tuple[bytes, dict[str, Any]]] = [
        (line, json.loads(line)) for line in open_lines(facts) if line.strip()
    ]
    slots = {_slot(record) for _, record in records if record["id"] in gone}
    yield from (line for line, record in records if _slot(record) not in slots)


def abstentions(graph: Dysk, encoder: Encoder, questions: Sequence[Question], strict: bool) -> int:
    """How many of the questions the graph does not answer."""
    syncer, count = graph.syncer(), 0
    calibration = calibration_for(encoder.fingerprint)
    with graph.store.snapshot() as snapshot:
        syncer.catch_up(snapshot.revision)
        for question in questions:
            time = read_time(question.question, syncer, datetime.now(UTC))
            period, past, _ = asked_period(time, question.as_of)
            query = read_query(time.question_without_time, syncer, encoder)
            found = retrieve(syncer, snapshot, query, period, _CANDIDATES, past=past, reach=FAR)
            count += not calibration.is_answered(
                found, query, syncer, snapshot, period, strict=strict
            )
    return count


def _loaded(workspace: Workspace, name: str, path: Path) -> Dysk:
    graph = workspace.graph(name, create=True)
    load_facts(graph, path)
    return graph


def _slot(record: dict[str, Any]) -> tuple[str, str]:
    return record["subject"], record["relation"]


if __name__ == "__main__":
    main()
