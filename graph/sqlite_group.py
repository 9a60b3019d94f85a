"""Group commit: batches that threads write at once share one transaction, and one sync to disk.

Whoever gets to write takes along all that wait. Each batch is planned on top of the one before and
gets a revision of its own; one that is refused is undone alone. Nobody is answered before the sync.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence

from graph.sqlite_connection import write_transaction
from graph.store import Receipt


class _Turn:
    """One batch: how to write it, and once it is ``done`` its receipt or what was wrong."""

    def __init__(self, write: Callable[[], Receipt]) -> None:
        self.write = write
        self.done = False
        self.receipt: Receipt | None = None
        self.error: Exception | None = None

    def outcome(self) -> Receipt:
        if self.error is not None:
            raise self.error
        assert self.receipt is not None  # noqa: S101 - it is done
        return self.receipt


class GroupCommit:
    """Gives turns on a connection that writes.

    ``writing`` is the lock of all who use the connection; ``committed`` is called under it after
    each group, before anyone is answered.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        writing: threading.Lock,
        committed: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._writing = writing
        self._committed = committed
        self._waiting: list[_Turn] = []
        self._queue = threading.Lock()

    def run(self, write: Callable[[], Receipt]) -> Receipt:
        """Call ``write`` inside a transaction, and give its receipt once that is on disk.

        Raises what it raised; then its writes are undone, and no others. It may run in another
        thread, and again if the transaction that it shared was lost.
        """
        turn = _Turn(write)
        with self._queue:
            self._waiting.append(turn)
        with self._writing:
            if not turn.done:
                with self._queue:
                    turns, self._waiting = self._waiting, []
                # One that was interrupted leaves turns behind that are no longer in the queue.
                self._commit(turns if turn in turns else [turn, *turns])
                self._committed()
        return turn.outcome()

    def _commit(self, turns: Sequence[_Turn]) -> None:
        try:
            self._share(turns)
        except Exception as error:
            if len(turns) == 1:
                turns[0].error = error
                turns[0].done = True
                return
            # Lost for all, so that each has to try by itself, to fail or succeed on its own.
            for turn in turns:
                self._commit([turn])

    def _share(self, turns: Sequence[_Turn]) -> None:
        """One transaction for these turns; on an error all are undone."""
        with write_transaction(self._connection):
            for turn in turns:
                self._take(turn, alone=len(turns) == 1)
        for turn in turns:
            turn.done = True

    def _take(self, turn: _Turn, *, alone: bool) -> None:
        turn.error = None
        if alone:
            # Without a savepoint, which would keep a copy of every page that a long batch touches.
            turn.receipt = turn.write()
            return
        self._connection.execute("SAVEPOINT turn")
        try:
            turn.receipt = turn.write()
        except Exception as error:
            if not self._connection.in_transaction:
                raise
            self._connection.execute("ROLLBACK TO turn")
            turn.error = error
        self._connection.execute("RELEASE turn")
