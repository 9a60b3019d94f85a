"""What the command line makes of an error: one sentence on stderr and a stable exit status.

Errors that dysk raises on purpose never show a traceback. Anything else is a bug and keeps its own.
"""

from __future__ import annotations

import json
import sys

from dysk.errors import (
    DataFolderError,
    DyskError,
    ModelUnavailable,
    Refused,
    RevisionNotReached,
    ServiceUnreachable,
)
from graph.errors import (
    Conflict,
    GraphError,
    HistoryCompacted,
    IdempotencyMismatch,
    InvalidFact,
    NotFound,
    PreconditionFailed,
    RevisionUnknown,
    StoreCorrupt,
    StoreUnavailable,
)

BAD_INPUT = 2

_STATUS: dict[type[Exception], int] = {
    NotFound: 3,
    HistoryCompacted: 3,
    Conflict: 4,
    PreconditionFailed: 4,
    IdempotencyMismatch: 4,
    RevisionUnknown: 4,
    RevisionNotReached: 4,
    StoreUnavailable: 5,
    StoreCorrupt: 5,
    DataFolderError: 5,
    ServiceUnreachable: 5,
    Refused: 4,
    ModelUnavailable: 6,
}


class InputError(DyskError):
    """An argument or an input file cannot be used; the message says what to give instead."""

    code = "bad_input"


def exit_status(error: Exception) -> int:
    """2 bad input · 3 not found · 4 conflict or failed precondition · 5 store · 6 model."""
    return next((code for kind, code in _STATUS.items() if isinstance(error, kind)), BAD_INPUT)


def report(error: GraphError | DyskError, *, as_json: bool) -> int:
    """Say on stderr what was wrong and how to go on; returns the exit status."""
    status = exit_status(error)
    sentence = describe(error)
    if as_json:
        problem = {"code": error.code, "detail": sentence, "exit_status": status}
        print(json.dumps({"error": problem}, ensure_ascii=False), file=sys.stderr)
    else:
        print(f"dysk: {sentence}", file=sys.stderr)
    return status


def describe(error: GraphError | DyskError) -> str:
    """The error's sentence, led by the field it is about where the sentence does not name it."""
    sentence = str(error)
    if not isinstance(error, InvalidFact) or not error.pointer:
        return sentence
    field = next((p for p in reversed(error.pointer.split("/")) if not p.isdigit()), "")
    return sentence if field in sentence else f"{field}: {sentence}"
