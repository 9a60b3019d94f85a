"""The store on a Neo4j server, or another that speaks Bolt and its Cypher.

A write is one transaction, which begins by taking the turn of its graph: others wait for it, or
fail and try again, so that the order of revisions is the order of commits, whichever process made
them. When a connection breaks, the same batch is tried again, and the name that each commit bears
tells whether it was stored already.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from graph.bounds import check_known_at, check_revision, check_since
from graph.fact import Command
from graph.idempotency import fingerprint_of, forgotten_since, keep, replay
from graph.interval import Period
from graph.neo4j_connection import Connection, Row, Run
from graph.neo4j_forgetting import compact, delete_graph
from graph.neo4j_receipts import read_receipt, write_receipt
from graph.neo4j_rows import commits_between
from graph.neo4j_schema import gone, open_graph
from graph.neo4j_snapshot import Neo4jSnapshot
from graph.neo4j_state import Neo4jState
from graph.neo4j_writer import write_commit
from graph.plan import make_plan
from graph.store import Change, Commit, Compaction, Receipt
from graph.validate import check_batch

POLL_SECONDS = 0.2
"""How often ``wait`` looks for commits of other processes."""
PATIENCE_SECONDS = 30.0
"""How long an operation goes on trying while the server is gone or others are in the way."""

Clock = Callable[[], datetime]


class Neo4jStore:
    """Implements FactStore for one graph of a server; see ``Neo4jServer.graph``.

    Several processes may use one graph.
    """

    def __init__(self, connection: Connection, graph: str, clock: Clock) -> None:
        self._connection = connection.another()
        self._graph = graph
        self._clock = clock
        self._writing = threading.Lock()
        self._committed = threading.Condition()
        open_graph(self._connection, graph)

    def apply(
        self,
        commands: Sequence[Command],
        *,
        idempotency_key: str | None = None,
        dry_run: bool = False,
        expect_revision: int | None = None,
    ) -> Receipt:
        """See FactStore. Stored by the server when it returns, after any number of attempts.

        When the connection is lost during a commit and does not come back, StoreUnavailable says
        that the batch may be stored. Sent again under its idempotency key it is stored once.
        """
        batch = check_batch(commands)
        fingerprint = fingerprint_of(batch)
        now = self._clock()
        name = uuid.uuid4().hex
        planned: dict[int, Receipt] = {}

        def attempt(run: Run) -> Receipt:
            head = self._take_turn(run, name)
            stored = self._revision_of(run, name) if planned else None
            if stored is not None:
                # Planning is pure, so all attempts at one revision planned the same.
                return planned[stored]
            state = Neo4jState(run, self._graph, head, batch)
            if idempotency_key is not None:
                kept = read_receipt(run, self._graph, idempotency_key)
                if kept is not None and kept.kept_at > forgotten_since(now):
                    return replay(
                        kept,
                        fingerprint,
                        state.versions,
                        lambda revision: self._changes_at(run, revision),
                    )
            plan = make_plan(batch, state, now, expect_revision)
            receipt = plan.receipt(dry_run=dry_run)
            if dry_run:
                return receipt
            if plan.changes:
                planned[plan.revision] = receipt
                commit = Commit(plan.revision, plan.recorded_at, plan.changes)
                write_commit(run, self._graph, commit, name, state)
            if idempotency_key is not None:
                kept = keep(receipt, fingerprint, now)
                write_receipt(run, self._graph, idempotency_key, kept, forgotten_since(now))
            return receipt

        # One at a time from this process: the server would only make them wait, or fail and retry.
        with self._writing:
            receipt = self._connection.write(attempt, keep=not dry_run)
        with self._committed:
            self._committed.notify_all()
        return receipt

    @property
    def revision(self) -> int:
        """The latest revision; 0 when nothing was ever written."""
        revision: int = self._head()["revision"]
        return revision

    @property
    def horizon(self) -> int:
        """The earliest revision that can be read; 0 when nothing was ever compacted."""
        horizon: int = self._head()["horizon"]
        return horizon

    def snapshot(
        self, *, revision: int | None = None, known_at: Period | None = None
    ) -> Neo4jSnapshot:
        """Pin the latest revision, the one given, or the last recorded before ``known_at`` ends."""
        if revision is not None and known_at is not None:
            raise ValueError("give a revision or known_at, not both")
        head = self._head()
        latest, horizon = head["revision"], head["horizon"]
        if known_at is not None:
            # No further than the latest: its commit was over when this began.
            revision = min(self._known_at(known_at), latest)
            check_known_at(known_at, revision, horizon)
        elif revision is None:
            revision = latest
        check_revision(revision, horizon, latest)
        return Neo4jSnapshot(self._connection, self._graph, revision)

    def changes(self, since: int = 0, *, limit: int = 1000) -> list[Commit]:
        """Commits with ``revision > since``, oldest first, at most ``limit``."""
        first = max(since, 0) + 1
        head = self._head()
        while True:
            check_since(since, head["horizon"])
            last = min(first + limit - 1, head["revision"])
            commits = (
                commits_between(self._connection.read, self._graph, first, last)
                if first <= last
                else []
            )
            before, head = head, self._head()
            # An erasure that fell between the statements tore what they found.
            if head["forgot"] == before["forgot"]:
                return commits

    def compact(self, before: int) -> Compaction:
        """See FactStore. One transaction: compact often, rather than much at once."""

        def attempt(run: Run) -> Compaction:
            head = self._take_turn(run, uuid.uuid4().hex)
            check_revision(before, 0, head["revision"])
            if before <= head["horizon"]:
                return Compaction(head["horizon"], 0, 0)
            return compact(run, self._graph, head["horizon"], before)

        with self._writing:
            return self._connection.write(attempt)

    def wait(self, since: int, timeout: float) -> bool:
        """Block until ``revision > since`` or ``timeout`` seconds passed; True in the first
        case.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._committed:
                if self.revision > since:
                    return True
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return False
                # Commits of this process notify; those of others are found by looking again.
                self._committed.wait(min(POLL_SECONDS, remaining))

    def close(self) -> None:
        """Refuse further calls, and wake those that wait. The server's connections stay open."""
        self._connection.close()
        with self._committed:
            self._committed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _head(self) -> Row:
        return _only(self._connection.read(_HEAD, graph=self._graph), self._graph)

    def _take_turn(self, run: Run, name: str) -> Row:
        """Have others wait until this transaction is over; then what it reads stands still."""
        run("MATCH (g:FactGraph {name: $graph}) SET g.turn = $turn", graph=self._graph, turn=name)
        return _only(run(_HEAD, graph=self._graph), self._graph)

    def _revision_of(self, run: Run, name: str) -> int | None:
        """The revision of the commit of that name, if it was stored."""
        rows = run(
            "MATCH (c:Commit {graph: $graph, batch: $name}) RETURN c.revision AS revision",
            graph=self._graph,
            name=name,
        )
        return rows[0]["revision"] if rows else None

    def _known_at(self, moment: Period) -> int:
        rows = self._connection.read(
            """MATCH (c:Commit) WHERE c.graph = $graph AND c.seconds < $end
               RETURN c.revision AS revision ORDER BY c.seconds DESC, c.revision DESC LIMIT 1""",
            graph=self._graph,
            end=moment.end,
        )
        return rows[0]["revision"] if rows else 0

    def _changes_at(self, run: Run, revision: int) -> Sequence[Change]:
        commits = commits_between(run, self._graph, revision, revision)
        return commits[0].changes if commits else ()


class Neo4jServer:
    """A database of the server at ``uri`` (``bolt://host:7687``), and the graphs that are in it.

    ``database`` None is the user's own. Raises StoreUnavailable.
    """

    def __init__(
        self,
        uri: str,
        user: str,
        password: str,
        *,
        database: str | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._connection = Connection(uri, user, password, database=database, patience=patience)
        try:
            self._connection.read("RETURN 1 AS answer")
        except BaseException:
            self._connection.close()
            raise

    def graphs(self) -> list[str]:
        """Names of the graphs that are there, sorted."""
        rows = self._connection.read(
            "MATCH (g:FactGraph) WHERE g.deleting IS NULL RETURN g.name AS name"
        )
        return sorted(row["name"] for row in rows)

    def graph(self, name: str, clock: Clock = lambda: datetime.now(UTC)) -> Neo4jStore:
        """A graph, made when missing. ``clock`` gives the time that its commits are recorded at.

        Raises StoreCorrupt when a newer version wrote it.
        """
        return Neo4jStore(self._connection, name, clock)

    def delete(self, name: str) -> None:
        """Delete a graph and all that it holds; a name that is not there does nothing."""
        delete_graph(self._connection, name)

    def close(self) -> None:
        """Close every connection, those of the stores too."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


_HEAD = """MATCH (g:FactGraph {name: $graph}) WHERE g.deleting IS NULL
    RETURN g.revision AS revision, g.recorded_at AS recorded_at, g.recorded AS recorded,
        g.horizon AS horizon, g.forgot AS forgot"""


def _only(rows: list[Row], graph: str) -> Row:
    if not rows:
        raise gone(graph)
    return rows[0]
