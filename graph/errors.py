"""The errors a store may raise. Each says what was wrong and what to do about it.

``code`` is stable and machine-readable; the REST layer maps it to a problem type, the command line
to an exit status.
"""

from __future__ import annotations


class GraphError(Exception):
    """Base of every error that the store raises on purpose.

    ``pointer`` is an RFC 6901 JSON pointer to the command of a batch that is at fault, such as
    ``/3``, or to a member of it; empty when the error concerns no command.
    """

    code = "graph_error"
    pointer: str = ""


class InvalidFact(GraphError):
    """A command carries a value that cannot be stored. Nothing of its batch was written."""

    code = "invalid_fact"

    def __init__(self, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer


class InvalidTime(InvalidFact):
    """A date is malformed or impossible, or an interval is empty or inverted."""

    code = "invalid_time"


class NotFound(GraphError):
    """No such fact, entity, relation or graph (at the revision that was asked about)."""

    code = "not_found"


class Conflict(GraphError):
    """``on_conflict="reject"`` met a fact that already holds; ``fact_ids`` names those in the
    way.
    """

    code = "conflict"

    def __init__(self, detail: str, fact_ids: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.fact_ids = fact_ids


class PreconditionFailed(GraphError):
    """The fact or graph changed since the revision that the caller expected (``If-Match``)."""

    code = "precondition_failed"


class IdempotencyMismatch(GraphError):
    """An idempotency key was used before with a different batch."""

    code = "idempotency_mismatch"


class RevisionUnknown(GraphError):
    """The revision lies in the future of this store."""

    code = "revision_unknown"


class HistoryCompacted(GraphError):
    """The revision, or the changes since it, lie before the horizon and were forgotten by
    ``compact``.
    """

    code = "history_compacted"


class StoreUnavailable(GraphError):
    """The store cannot read or write now: read-only, disk full, locked, gone. Nothing was
    written.
    """

    code = "store_unavailable"


class StoreCorrupt(GraphError):
    """The file is not a dysk store, is damaged, or was written by a newer version. It was not
    touched.
    """

    code = "store_corrupt"
