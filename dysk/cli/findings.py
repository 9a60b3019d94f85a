"""What a doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One part, its state, what was found, and what to do when it is not ok."""

    part: str
    level: Level
    found: str
    mend: str = ""
