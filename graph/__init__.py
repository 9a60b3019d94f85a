"""The live temporal knowledge graph: facts that change, and every state that they were in.

with SQLiteStore("world.db") as store:
    store.apply([Add("UK", "head of government", "Keir Starmer", valid_from="2024-07-05")])
    with store.snapshot() as snapshot:
        snapshot.facts(subject="UK", as_of=parse_date("2025"))
"""

from graph.errors import (
    Conflict,
    GraphError,
    HistoryCompacted,
    IdempotencyMismatch,
    InvalidFact,
    InvalidTime,
    NotFound,
    PreconditionFailed,
    RevisionUnknown,
    StoreCorrupt,
    StoreUnavailable,
)
from graph.fact import (
    Add,
    Cardinality,
    Command,
    Correct,
    End,
    Erase,
    Fact,
    MergeEntities,
    OnConflict,
    Relation,
    Retract,
    SetAliases,
    SetRelation,
    Statement,
    Status,
)
from graph.interval import Interval, Period, format_utc, now_period, parse_date, parse_interval
from graph.memory import MemoryStore
from graph.sqlite import SQLiteStore
from graph.store import (
    Change,
    ChangeKind,
    Commit,
    Compaction,
    FactStore,
    ItemResult,
    Outcome,
    Receipt,
    Snapshot,
)

__all__ = [
    "Add",
    "Cardinality",
    "Change",
    "ChangeKind",
    "Command",
    "Commit",
    "Compaction",
    "Conflict",
    "Correct",
    "End",
    "Erase",
    "Fact",
    "FactStore",
    "GraphError",
    "HistoryCompacted",
    "IdempotencyMismatch",
    "Interval",
    "InvalidFact",
    "InvalidTime",
    "ItemResult",
    "MemoryStore",
    "MergeEntities",
    "NotFound",
    "OnConflict",
    "Outcome",
    "Period",
    "PreconditionFailed",
    "Receipt",
    "Relation",
    "Retract",
    "RevisionUnknown",
    "SQLiteStore",
    "SetAliases",
    "SetRelation",
    "Snapshot",
    "Statement",
    "Status",
    "StoreCorrupt",
    "StoreUnavailable",
    "format_utc",
    "now_period",
    "parse_date",
    "parse_interval",
]
