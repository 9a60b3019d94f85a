"""Facts read inside a frozen model: attach, keep facts as keys and values, choose among them."""

from dysk.attention.attach import (
    Attachment,
    Probe,
    Reading,
    Reconsidered,
    SecondLook,
    Unattachable,
    attach,
)
from dysk.attention.memory import FactMemory, Lease, MemoryBudgetExceeded, MemoryStats

__all__ = [
    "Attachment",
    "FactMemory",
    "Lease",
    "MemoryBudgetExceeded",
    "MemoryStats",
    "Probe",
    "Reading",
    "Reconsidered",
    "SecondLook",
    "Unattachable",
    "attach",
]
