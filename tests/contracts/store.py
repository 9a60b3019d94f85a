"""What every store does: subclass StoreContract and give it a ``make_store`` fixture.

The parts ask one question each: how commands are written, what supersedes what, what each verb does
to intervals that meet, what reads answer, what is one entity or relation, how long history lasts.
"""

from __future__ import annotations

from tests.contracts.store_entities import EntitiesContract
from tests.contracts.store_history import HistoryContract
from tests.contracts.store_intervals import IntervalsContract
from tests.contracts.store_reading import ReadingContract
from tests.contracts.store_supersession import SupersessionContract
from tests.contracts.store_writing import WritingContract


class StoreContract(
    WritingContract,
    SupersessionContract,
    IntervalsContract,
    ReadingContract,
    EntitiesContract,
    HistoryContract,
):
    """The whole suite."""
