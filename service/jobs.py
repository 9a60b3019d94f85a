"""Imports as jobs: one at a time, watched, cancelled, and taken up again after a crash.

    <data>/jobs/<id>.json      what the job is and how it stands
    <data>/jobs/<id>.part      the file to import, until it is done
    <data>/jobs/<id>.bad       its bad lines, one JSON object each

An import stores nothing twice, so that a job which was broken off simply runs again from the start
of its file.
"""

from __future__ import annotations

import json
import logging
import queue
import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

from dysk.errors import DyskError
from dysk.workspace import Workspace
from graph.errors import GraphError, NotFound
from graph.interchange import (
    BadLine,
    ImportFormat,
    ImportReport,
    load_commands,
    read,
    recognise,
    unpack,
)
from service.errors import Problem

log = logging.getLogger("dysk.service")

JobStatus = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED: tuple[JobStatus, ...] = ("done", "failed", "cancelled")
KEPT = 100
"""Ended jobs that are remembered; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the file of an import is to be read; ``format`` None is told by its first line."""

    format: ImportFormat | None = None
    language: str = "en"
    keep_unknown: bool = True
    columns: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """An import and how it stands. ``bytes_read`` of ``bytes`` are behind it, in ``lines`` lines;
    ``attempt`` counts the starts.
    """

    id: str
    graph: str
    reading: Reading
    status: JobStatus = "queued"
    created_at: str = ""
    finished_at: str | None = None
    bytes: int = 0
    bytes_read: int = 0
    lines: int = 0
    added: int = 0
    unchanged: int = 0
    skipped: int = 0
    bad_total: int = 0
    revision: int | None = None
    error: str | None = None
    attempt: int = 0


class _Stopped(Exception):
    """The job was cancelled, or the service stops."""


class Jobs:
    """The jobs of a data folder, and the thread that does them. Thread-safe."""

    def __init__(self, workspace: Workspace, *, max_waiting: int) -> None:
        self._workspace = workspace
        self._folder = workspace.path / "jobs"
        self._max_waiting = max_waiting
        self._jobs: dict[str, Job] = {}
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take up what an earlier process left, and begin."""
        for file in sorted(self._folder.glob("*.json")):
            with suppress(OSError, ValueError, TypeError, KeyError):
                record = json.loads(file.read_text(encoding="utf-8"))
                job = Job(**{**record, "reading": Reading(**record["reading"])})
                self._jobs[job.id] = job
        for job in sorted(self._jobs.values(), key=lambda job: job.created_at):
            if job.status not in ENDED:
                self._update(job.id, status="queued")
                self._queue.put(job.id)
        for file in self._folder.glob("*.part"):
            if file.stem not in self._jobs:
                file.unlink(missing_ok=True)  # its upload was cut off
        self._thread = threading.Thread(target=self._work, name="dysk-jobs", daemon=True)
        self._thread.start()

    def stop(self, patience: float) -> None:
        """Break off after the batch in progress; the job goes on when the service starts again."""
        self._stopping.set()
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join(patience)

    def upload(self) -> tuple[str, IO[bytes]]:
        """The id of a job to be, and the file to write what it imports into. Raises Problem."""
        waiting = sum(job.status == "queued" for job in self.all())
        if waiting > self._max_waiting:
            raise Problem(
                "too_many_jobs",
                f"{waiting} imports wait already; try again when one is done",
                headers={"Retry-After": "10"},
            )
        job_id = f"j{secrets.token_hex(8)}"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        return job_id, self._file(job_id, "part").open("wb")

    def discard(self, job_id: str) -> None:
        """The upload was cut off: nothing of it is kept."""
        self._file(job_id, "part").unlink(missing_ok=True)

    def submit(self, job_id: str, graph: str, reading: Reading) -> Job:
        """Queue an import whose file is there."""
        size = self._file(job_id, "part").stat().st_size
        job = Job(job_id, graph, reading, created_at=_now(), bytes=size)
        with self._lock:
            self._jobs[job.id] = job
            self._write(job)
        self._queue.put(job.id)
        self._forget_old()
        return job

    def all(self) -> list[Job]:
        """Every job, newest first."""
        with self._lock:
            return sorted(self._jobs.values(), key=lambda job: job.created_at, reverse=True)

    def get(self, job_id: str) -> Job:
        """A job as it stands. Raises NotFound."""
        with self._lock:
            if job_id not in self._jobs:
                raise NotFound(f"there is no job {job_id!r}; ended ones are forgotten in time")
            return self._jobs[job_id]

    def bad_lines(self, job_id: str, after: int) -> tuple[list[str], int]:
        """Bad lines as JSON objects, from a byte of their file on, and the byte to go on from."""
        try:
            with self._file(job_id, "bad").open("rb") as file:
                file.seek(after)
                found = file.read(2**18)
        except FileNotFoundError:
            return [], after
        whole = found[: found.rfind(b"\n") + 1]
        return whole.decode().splitlines(), after + len(whole)

    def cancel(self, job_id: str) -> None:
        """Stop a job after the batch in progress; forget one that has ended. Raises NotFound."""
        if self.get(job_id).status in ENDED:
            self._forget(job_id)
        else:
            self._update(job_id, status="cancelled", finished_at=_now())

    def _work(self) -> None:
        while (job_id := self._queue.get()) is not None and not self._stopping.is_set():
            with suppress(NotFound):
                job = self.get(job_id)
                if job.status == "queued":
                    self._run(job)
                if self.get(job_id).status in ENDED:
                    self._file(job_id, "part").unlink(missing_ok=True)

    def _run(self, job: Job) -> None:
        self._update(job.id, status="running", attempt=job.attempt + 1)
        try:
            report = self._import(job)
        except _Stopped:
            return  # cancelled, or for the next process
        except (GraphError, DyskError, OSError) as error:
            self._update(job.id, status="failed", error=str(error), finished_at=_now())
        except Exception:
            log.exception("job %s failed", job.id)
            told = f"the service failed; its log has the reason under job {job.id}"
            self._update(job.id, status="failed", error=told, finished_at=_now())
        else:
            self._update(
                job.id,
                status="done",
                finished_at=_now(),
                bytes_read=job.bytes,
                added=report.added,
                unchanged=report.unchanged,
                skipped=report.skipped,
                bad_total=report.bad_total,
                revision=report.revision,
            )

    def _import(self, job: Job) -> ImportReport:
        reading = job.reading
        store = self._workspace.graph(job.graph).store
        with (
            self._file(job.id, "part").open("rb") as file,
            self._file(job.id, "bad").open("w", encoding="utf-8") as bad,
        ):
            bad_total = 0

            def on_bad(line: BadLine) -> None:
                nonlocal bad_total
                bad_total += 1
                record = {"type": "bad", "line": line.number, "reason": line.reason}
                bad.write(json.dumps(record) + "\n")
                bad.flush()

            def progress(line: int) -> None:
                read_so_far = file.tell()
                self._update(
                    job.id, keep=True, lines=line, bytes_read=read_so_far, bad_total=bad_total
                )

            lines = self._watched(job.id, unpack(file))
            first = next(lines, b"")
            numbered = read(
                reading.format or recognise("", first),
                _chained(first, lines),
                extra="attributes" if reading.keep_unknown else "reject",
                columns=reading.columns or None,
                language=reading.language,
            )
            return load_commands(store, numbered, on_bad=on_bad, progress=progress)

    def _watched(self, job_id: str, lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            if self._stopping.is_set() or self._jobs[job_id].status == "cancelled":
                raise _Stopped
            yield line

    def _update(self, job_id: str, *, keep: bool = False, **changes: object) -> None:
        """``keep``: in memory alone, since progress is not worth a write to disk."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or (job.status == "cancelled" and "status" in changes):
                return
            self._jobs[job_id] = job = replace(job, **changes)  # type: ignore[arg-type]
            if not keep:
                self._write(job)

    def _write(self, job: Job) -> None:
        scratch = self._file(job.id, "new")
        scratch.write_text(json.dumps(asdict(job)), encoding="utf-8")
        scratch.replace(self._file(job.id, "json"))

    def _forget_old(self) -> None:
        for job in [job for job in self.all() if job.status in ENDED][KEPT:]:
            self._forget(job.id)

    def _forget(self, job_id: str) -> None:
        with self._lock:
            self._jobs.pop(job_id, None)
        for kind in ("json", "bad", "part"):
            self._file(job_id, kind).unlink(missing_ok=True)

    def _file(self, job_id: str, kind: str) -> Path:
        return self._folder / f"{job_id}.{kind}"


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
