"""Files of any size are read in the same memory. The whole measurement is a command: see
docs/interchange.md.
"""

from __future__ import annotations

import pytest

from tests.graph.interchange.memory import measure_one

FACTS = 90_000
ALLOWED = 28.0
"""MiB for what is remembered up to a limit: names, and pages of the scratch database. To hold the
facts themselves would take over 35.
"""


@pytest.mark.slow
@pytest.mark.parametrize("format", ["jsonl", "turtle", "wikidata"])
def test_reading_takes_no_more_memory_for_more_facts(format: str) -> None:
    early, late = measure_one("read", format, "", FACTS)
    assert late - early < ALLOWED
