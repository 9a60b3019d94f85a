"""How the store talks to a Bolt server: transactions that are tried again, and what errors mean.

Neo4j is read-committed. A write begins by writing to the node of its graph, which makes others wait
until it is over, or makes one of the two fail and try again; what it reads after that stands still.
Reads are single statements about revisions that are committed, and the bookmarks that sessions hand
on make sure that such a commit is wholly visible, on whichever server they read.
"""

from __future__ import annotations

import copy
import random
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import neo4j
from neo4j.exceptions import (
    AuthError,
    ClientError,
    ConstraintError,
    CypherSyntaxError,
    DriverError,
    IncompleteCommit,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
)

from graph.errors import StoreUnavailable

CONNECT_SECONDS = 5.0
"""How long one attempt to reach the server may take."""
TRANSACTION_SECONDS = 60.0
"""After how long a server gives up a write whose client is gone, and lets others go on."""
LONGEST_PAUSE = 1.0
"""Seconds between two attempts, at most."""

Row = dict[str, Any]
Run = Callable[..., list[Row]]
"""Runs a statement with its parameters as keywords, and answers with all of its rows."""
Result = TypeVar("Result")


class Connection:
    """One database of one server, for any thread. Errors that may pass are met by trying again.

    ``patience`` is how many seconds an operation goes on trying before it raises StoreUnavailable.
    """

    def __init__(
        self, uri: str, user: str, password: str, *, database: str | None, patience: float
    ) -> None:
        self._uri = uri
        self._database = database
        self._patience = patience
        self._closed = threading.Event()
        self._parent: Connection | None = None
        self._bookmarks = neo4j.GraphDatabase.bookmark_manager()
        try:
            self._driver = neo4j.GraphDatabase.driver(
                uri,
                auth=(user, password),
                connection_timeout=CONNECT_SECONDS,
                connection_acquisition_timeout=2 * CONNECT_SECONDS,
                # Hints for who writes Cypher: that a graph has no aliases yet, and the like.
                notifications_min_severity="OFF",
            )
        except (DriverError, ValueError) as error:
            raise StoreUnavailable(
                f"{uri!r} is no address of a Neo4j server ({error}); write bolt://host:7687"
            ) from error

    def another(self) -> Connection:
        """One that can be closed by itself, over the same sockets."""
        child = copy.copy(self)
        child._closed = threading.Event()
        child._parent = self
        return child

    def read(self, statement: str, **values: object) -> list[Row]:
        """The rows of one statement that changes nothing."""

        def attempt() -> list[Row]:
            with self._open(neo4j.READ_ACCESS) as session:
                return session.run(statement, values).data()

        return self._patiently(attempt)

    def write(self, work: Callable[[Run], Result], *, keep: bool = True) -> Result:
        """Do ``work`` in one transaction: all of it is stored when this returns, or none of it.

        ``keep=False`` rolls back instead. ``work`` runs again after an error that may pass, also
        when it is unknown whether the attempt before was stored: it has to look.
        """

        def attempt() -> Result:
            with (
                self._open(neo4j.WRITE_ACCESS) as session,
                session.begin_transaction(timeout=TRANSACTION_SECONDS) as transaction,
            ):

                def run(statement: str, **values: object) -> list[Row]:
                    return transaction.run(statement, values).data()

                result = work(run)
                if keep:
                    transaction.commit()
                return result

        return self._patiently(attempt)

    def define(self, statement: str) -> None:
        """Run a statement that changes the schema, which a server does on its own."""

        def attempt() -> None:
            with self._open(neo4j.WRITE_ACCESS) as session:
                session.run(statement).consume()

        self._patiently(attempt)

    def close(self) -> None:
        """Refuse further work; calling it again does nothing. The first one closes the sockets."""
        self._closed.set()
        if self._parent is None:
            self._driver.close()

    def _is_closed(self) -> bool:
        return self._closed.is_set() or (self._parent is not None and self._parent._is_closed())

    def _open(self, access: str) -> neo4j.Session:
        return self._driver.session(
            database=self._database,
            default_access_mode=access,
            bookmark_manager=self._bookmarks,
        )

    def _patiently(self, attempt: Callable[[], Result]) -> Result:
        deadline = time.monotonic() + self._patience
        pause = 0.01
        in_doubt = False
        while True:
            if self._is_closed():
                raise StoreUnavailable(f"the store at {self._uri} is closed; open it again")
            try:
                return attempt()
            except CypherSyntaxError:
                raise
            except (DriverError, Neo4jError) as error:
                in_doubt = in_doubt or isinstance(error, IncompleteCommit)
                if not _may_pass(error) or time.monotonic() + pause > deadline:
                    raise StoreUnavailable(f"{self._uri}: {_advice(error, in_doubt)}") from error
            # Writers that met would meet again if they waited equally long.
            self._closed.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
            pause = min(2 * pause, LONGEST_PAUSE)


def _may_pass(error: DriverError | Neo4jError) -> bool:
    # A ConstraintError is another writer that created the same node first: on the next attempt
    # it is there. After an IncompleteCommit the next attempt looks whether it was stored.
    return error.is_retryable() or isinstance(error, ConstraintError | IncompleteCommit)


def _advice(error: DriverError | Neo4jError, in_doubt: bool) -> str:
    if in_doubt:
        return (
            "the connection was lost during a commit, so it is unknown whether the batch was "
            "stored, whole or not at all; send it again with the same idempotency key, or look "
            f"({error})"
        )
    if isinstance(error, AuthError):
        return "the server refuses this user or password; set NEO4J_USER and NEO4J_PASSWORD"
    if isinstance(error, ServiceUnavailable | SessionExpired):
        return f"the server cannot be reached; is it running, and is the address right? ({error})"
    if isinstance(error, ClientError) and "DatabaseNotFound" in (error.code or ""):
        return f"the server has no such database; create it, or name another one ({error.message})"
    return f"the server refused; see its log ({error})"
