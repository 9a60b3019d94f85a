"""Which revisions can be asked for: from the horizon to the latest. Shared by every store."""

from __future__ import annotations

from graph.errors import HistoryCompacted, RevisionUnknown
from graph.interval import Period


def check_revision(revision: int, horizon: int, latest: int) -> None:
    """Raise RevisionUnknown or HistoryCompacted unless a snapshot of the revision can be taken."""
    if not 0 <= revision <= latest:
        raise RevisionUnknown(f"there is no revision {revision}; the latest is {latest}")
    if revision < horizon:
        raise HistoryCompacted(
            f"revision {revision} was compacted away; the earliest that is left is {horizon}"
        )


def check_known_at(known_at: Period, revision: int, horizon: int) -> None:
    """Raise HistoryCompacted when ``revision``, the last one recorded by then, is not left."""
    if revision < horizon:
        raise HistoryCompacted(
            f"what was known at {known_at.text} was compacted away; the earliest that is left is "
            f"revision {horizon}"
        )


def check_since(since: int, horizon: int) -> None:
    """Raise HistoryCompacted when commits after ``since`` are not left."""
    if max(since, 0) < horizon:
        raise HistoryCompacted(
            f"the changes after revision {since} were compacted away; take a snapshot of revision "
            f"{horizon} or later, and follow the changes from there"
        )
