"""Streams between a service and its client: files in and out, and the feed.

Raises httpx.TransportError where the connection fails, and the errors of dysk.remote_errors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any

import httpx

from dysk.errors import Refused
from dysk.remote_errors import error_of
from dysk.remote_records import commit_of
from graph import Commit
from graph.interchange import BadLine, ExportFormat, ImportFormat, ImportReport
from graph.interchange.loading import BAD_LINES_KEPT

_MEDIA_TYPES: dict[ImportFormat, str] = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv",
    "ntriples": "application/n-triples",
    "turtle": "text/turtle",
    "wikidata": "application/json",
}
EXPORTS: dict[ExportFormat, str] = {
    "jsonl": "jsonl",
    "csv": "csv",
    "ntriples": "nt",
    "turtle": "ttl",
    "graphml": "graphml",
}


def stream_lines(
    client: httpx.Client, path: str, *, method: str = "GET", **options: Any
) -> Iterator[str]:
    """Lines that end in a newline; httpx would end them at U+2028 and the like as well."""
    with client.stream(method, path, **options) as reply:
        if reply.is_error:
            reply.read()
            raise error_of(reply)
        rest = ""
        for text in reply.iter_text():
            *whole, rest = (rest + text).split("\n")
            yield from whole


def events_after(client: httpx.Client, path: str, since: int) -> Generator[Commit]:
    """The commits of a feed after a revision, until the connection ends."""
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(since)}
    for line in stream_lines(client, path, headers=headers):
        if line.startswith("data: "):
            record = json.loads(line.removeprefix("data: "))
            if "revision" in record:
                yield commit_of(record)


def send_lines(
    client: httpx.Client,
    path: str,
    lines: Iterable[bytes],
    format: ImportFormat,
    params: Mapping[str, str],
    progress: Callable[[int], None] | None,
) -> ImportReport:
    """Send a file, and gather what became of its lines."""
    bad: list[BadLine] = []
    record: dict[str, Any] = {}
    told = stream_lines(
        client,
        path,
        method="POST",
        params=params,
        content=_counted(lines, progress),
        headers={"Content-Type": _MEDIA_TYPES[format]},
    )
    for text in told:
        record = json.loads(text)
        if record["type"] == "bad" and len(bad) < BAD_LINES_KEPT:
            bad.append(BadLine(record["line"], record["reason"]))
    if record.get("status") != "done":
        state = f"the import is {record.get('status')}: see /v1/jobs/{record.get('id')}"
        raise Refused(record.get("error") or state)
    return ImportReport(
        added=record["added"],
        unchanged=record["unchanged"],
        bad=bad,
        bad_total=record["bad_total"],
        revision=record["revision"],
        skipped=record["skipped"],
    )


def _counted(lines: Iterable[bytes], progress: Callable[[int], None] | None) -> Iterator[bytes]:
    for number, line in enumerate(lines, start=1):
        yield line if line.endswith(b"\n") else line + b"\n"
        if progress is not None:
            progress(number)
