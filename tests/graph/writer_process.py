"""A process that writes facts for ever and prints each batch once it is acknowledged.

Run as ``python -m tests.graph.writer_process PATH NAME SIZE``: batches of SIZE facts, so that half
a batch would show.
"""

from __future__ import annotations

import sys
from itertools import count

from graph import Add, SQLiteStore


def main(path: str, name: str, size: int) -> None:
    with SQLiteStore(path) as store:
        for number in count():
            batch = [
                Add(name, f"said in {number}", f"word {part}", id=f"{name}-{number}-{part}")
                for part in range(size)
            ]
            revision = store.apply(batch, idempotency_key=f"{name}-{number}").revision
            print(number, revision, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
