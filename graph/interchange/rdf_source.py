"""Lines as the file that an RDF parser reads: it can be taken back to a line, and holds back what
the parser would break on.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

from graph.interchange.loading import BadLine

_LONGEST = 2**20
"""Bytes of a line that the parser gets. No fact needs as many."""

_FARTHEST = 2**18
"""Bytes, after the line where a statement begins, in which it has to end: else each open quote
would have the rest of a file read in vain.
"""

_DEEPEST = 100
"""Triples within triples; some ten thousand overflow the stack of the parser."""

_NESTING = re.compile(rb"<<|>>")
_REMARK = re.compile(rb"\s*(#|@?prefix\b|@?base\b|$)", re.IGNORECASE)
"""Lines that can stand between statements, any number of them."""


class TooFar(Exception):
    """A statement does not end where it should; ``number`` is the line where it begins."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class RdfSource:
    """Gives one line at a time, so that ``number`` is that of the parser's place."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.number = 0
        self._lines = iter(lines)
        self._given = b""
        self._at = 0
        self._depth = 0
        self._refused: list[BadLine] = []
        self._since: deque[bytes] = deque()
        self._since_bytes = 0
        self._again: deque[bytes] = deque()

    def read(self, size: int = -1) -> bytes:
        """The rest of the present line, or the next one; at most ``size`` bytes. Raises TooFar."""
        while self._at == len(self._given):
            line = self._again.popleft() if self._again else self._next()
            if line is None:
                return b""
            self.number += 1
            self._given, self._at = line, 0
            self._keep(line)
        end = len(self._given) if size < 0 else min(len(self._given), self._at + size)
        start, self._at = self._at, end
        return self._given[start:end]

    def statement_read(self) -> None:
        """What was given so far made up whole statements: nothing of it will be read again."""
        self._depth = 0
        self._since.clear()
        self._since_bytes = 0

    def back_to(self, number: int, first: bytes) -> bool:
        """Go back to the end of a line, and give ``first`` before the next; False where no line was
        given since.
        """
        count = self.number - number
        if not 0 < count <= len(self._since):
            return False
        self._again.extendleft([self._since.pop() for _ in range(count)])
        self.number = number
        self.begin_anew(first)
        return True

    def begin_anew(self, first: bytes) -> None:
        """Leave out the rest of the present line, and give ``first`` before the next."""
        self._given, self._at = first, 0
        self.statement_read()

    def refused(self) -> list[BadLine]:
        """The lines that were held back since the last call; empty ones stand for them."""
        refused, self._refused = self._refused, []
        return refused

    def _keep(self, line: bytes) -> None:
        """Keep a line to be read again until its statement is read."""
        remark = _REMARK.match(line) is not None
        if remark and not self._since:
            return
        self._since.append(line)
        if not remark and len(self._since) > 1:
            self._since_bytes += len(line)
        if self._since_bytes > _FARTHEST:
            raise TooFar(self.number - len(self._since) + 1)

    def _next(self) -> bytes | None:
        """The next line for the parser."""
        line = next(self._lines, None)
        if line is None:
            return None
        if len(line) > _LONGEST:
            return self._refuse(f"the line is longer than {_LONGEST:,} bytes")
        deepest = self._depth
        for mark in _NESTING.findall(line):
            self._depth = max(0, self._depth + (1 if mark == b"<<" else -1))
            deepest = max(deepest, self._depth)
        if deepest > _DEEPEST:
            self._depth = 0
            return self._refuse(f"triples stand in one another, over {_DEEPEST} deep")
        return line

    def _refuse(self, reason: str) -> bytes:
        self._refused.append(BadLine(self.number + 1, reason))
        return b"\n"
