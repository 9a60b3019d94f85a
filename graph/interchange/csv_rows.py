"""The rows of a CSV file, which can be read again from the second line of one that is wrong."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

_LONGEST = 2**20
"""Characters of a row of several lines."""


class Rows:
    """Rows one by one, the last of them from line ``begin`` to line ``end``.

    An open quote goes on to the next one, or as far as a cell may, and takes whole rows with it:
    ``begin_anew`` gives them back.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.begin = 0
        self.end = 0
        self._lines = iter(lines)
        self._row: list[str] = []
        self._characters = 0
        self._again: list[str] = []
        self._reader = csv.reader(self._texts(), strict=True)

    def next(self) -> list[str] | None:
        """The next row; None after the last. Raises csv.Error for one that is none."""
        self.begin = self.end + 1
        self._row.clear()
        self._characters = 0
        return next(self._reader, None)

    def begin_anew(self) -> None:
        """Go back to the end of the first line of the last row."""
        self._again.extend(reversed(self._row[1:]))
        self.end = self.begin
        self._reader = csv.reader(self._texts(), strict=True)

    def _texts(self) -> Iterator[str]:
        """Lines as text; bytes that are not UTF-8 become surrogates, which no stored text has."""
        while True:
            if self._again:
                text = self._again.pop()
            else:
                line = next(self._lines, None)
                if line is None:
                    return
                encoding = "utf-8" if self.end else "utf-8-sig"
                text = line.decode(encoding, errors="surrogateescape")
            self.end += 1
            self._row.append(text)
            self._characters += len(text)
            if self._characters > _LONGEST and len(self._row) > 1:
                raise csv.Error("a quote is not closed")
            yield text
