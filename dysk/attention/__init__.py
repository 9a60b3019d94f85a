"""Facts read inside a frozen model: attach, keep facts as keys and values, choose among them."""

from dysk.attention.attach import Attachment, Unattachable, attach
from dysk.attention.knowledge import Probe, Reading, Reconsidered, SecondLook
from dysk.attention.memory import FactMemory, Lease, MemoryBudgetExceeded, MemoryStats
from dysk.attention.packed import Pack, Part

__all__ = [
    "Attachment",
    "FactMemory",
    "Lease",
    "MemoryBudgetExceeded",
    "MemoryStats",
    "Pack",
    "Part",
    "Probe",
    "Reading",
    "Reconsidered",
    "SecondLook",
    "Unattachable",
    "attach",
]
