"""What every store does: subclass StoreContract and give it a ``make_store`` fixture.

The parts ask one question each: how commands are written, what supersedes what, what reads answer.
"""

from __future__ import annotations

from tests.contracts.store_reading import ReadingContract
from tests.contracts.store_supersession import SupersessionContract
from tests.contracts.store_writing import WritingContract


class StoreContract(WritingContract, SupersessionContract, ReadingContract):
    """The whole suite."""
