"""dysk: a live temporal knowledge graph that a frozen language model reads.

from dysk import Dysk
with Dysk.open("world.dysk") as d:
    d.add("UK", "head of government", "Keir Starmer", valid_from="2024-07-05")
    print(d.ask("Who is the head of government of the UK?").text)
"""

from dysk.answer import Answer, Evidence, Usage
from dysk.client import Dysk
from dysk.errors import (
    DataFolderError,
    DyskError,
    InvalidQuestion,
    ModelUnavailable,
    RevisionNotReached,
)
from dysk.workspace import Workspace

__all__ = [
    "Answer",
    "DataFolderError",
    "Dysk",
    "DyskError",
    "Evidence",
    "InvalidQuestion",
    "ModelUnavailable",
    "RevisionNotReached",
    "Usage",
    "Workspace",
]
