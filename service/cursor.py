"""Opaque cursors: a page's end, pinned to the revision and the filters of the listing that it
belongs to.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from service.errors import Problem


@dataclass(frozen=True, slots=True)
class Cursor:
    """Go on after the fact ``after``, in the graph as of ``revision``."""

    revision: int
    after: str

    def encode(self, filters: Mapping[str, object]) -> str:
        """The cursor as text, bound to the listing's filters."""
        record = json.dumps([self.revision, self.after, _digest(filters)])
        return base64.urlsafe_b64encode(record.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, filters: Mapping[str, object]) -> Cursor:
        """Read ``encode``'s text back. Raises Problem 400 if it is none, or belongs to other
        filters.
        """
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            revision, after, digest = json.loads(base64.b64decode(padded, b"-_", validate=True))
            if not isinstance(revision, int) or not isinstance(after, str):
                raise ValueError
        except (ValueError, TypeError, RecursionError):
            raise _refused("it was not made here") from None
        if digest != _digest(filters):
            raise _refused("it belongs to a listing with other filters") from None
        return cls(revision, after)


def _digest(filters: Mapping[str, object]) -> str:
    record = json.dumps(dict(filters), sort_keys=True)
    return hashlib.sha256(record.encode()).hexdigest()[:16]


def _refused(why: str) -> Problem:
    detail = f"the cursor cannot be used: {why}; list again without one, with the filters you want"
    return Problem("invalid_cursor", detail, errors=[{"parameter": "cursor", "detail": detail}])
