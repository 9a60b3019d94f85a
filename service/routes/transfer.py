"""Whole files over REST: imports, which are jobs, and exports, which are streams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Annotated, Literal

import anyio
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from graph.interchange import ExportFormat, ImportFormat, dump
from graph.interval import parse_date
from graph.store import Snapshot
from service.dependencies import GraphName, Service, ServiceParts
from service.errors import Problem
from service.jobs import ENDED, Job, Reading
from service.openapi import problems
from service.records import job_record, json_reply
from service.replies import JobOut
from service.schemas import Date
from service.strict import StrictRoute

router = APIRouter(prefix="/v1/graphs/{graph}", tags=["files"], route_class=StrictRoute)

NDJSON = "application/x-ndjson"
_LINES_AT_ONCE = 500
_LOOK_AGAIN_SECONDS = 0.1

_FORMATS: dict[str, ImportFormat | None] = {
    NDJSON: "jsonl",
    "application/jsonl": "jsonl",
    "text/csv": "csv",
    "application/n-triples": "ntriples",
    "text/turtle": "turtle",
    "application/json": "wikidata",
    "application/octet-stream": None,
    "application/gzip": None,
    "application/x-bzip2": None,
}
"""Media types that are read. A browser lets no page of another origin send any of them unasked."""

ExportName = Literal["jsonl", "csv", "nt", "ttl", "graphml"]
_EXPORTS: dict[ExportName, tuple[ExportFormat, str]] = {
    "jsonl": ("jsonl", NDJSON),
    "csv": ("csv", "text/csv"),
    "nt": ("ntriples", "application/n-triples"),
    "ttl": ("turtle", "text/turtle"),
    "graphml": ("graphml", "application/graphml+xml"),
}
_ANY_BODY = {"schema": {"type": "string", "format": "binary"}}


@router.post(
    "/imports",
    response_class=StreamingResponse,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": dict.fromkeys(_FORMATS, _ANY_BODY),
        }
    },
    responses={
        200: {
            "description": "One line for each bad line, then the job as the last line.",
            "content": {NDJSON: {"schema": {"type": "string"}}},
        },
        202: {"model": JobOut, "description": "Queued: `Location` leads to the job."},
        **problems(
            "malformed_request",
            "not_found",
            "body_too_large",
            "unsupported_media_type",
            "invalid_request",
            "store_unavailable",
            "too_many_jobs",
        ),
    },
)
async def import_file(
    graph: GraphName,
    request: Request,
    service: ServiceParts,
    format: Annotated[
        ImportFormat | None, Query(description="Absent: by Content-Type, else by the first line.")
    ] = None,
    unknown_fields: Annotated[
        Literal["keep", "reject"],
        Query(description="keep: among the fact's attributes; reject: such a line is bad."),
    ] = "keep",
    columns: Annotated[
        str | None, Query(description="Of a CSV table: `Leader=object,Land=subject`.")
    ] = None,
    language: Annotated[
        str, Query(max_length=35, description="Of the names in RDF and Wikidata.")
    ] = "en",
) -> Response:
    """Import a file: JSON Lines, CSV, N-Triples, Turtle or Wikidata's JSON, packed by gzip or bzip2
    or not.

    Bad lines are reported and the rest goes in. The reply is a line for each bad one and then the
    job; with `Prefer: respond-async` it comes at once, and `/v1/jobs` tells the rest.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _FORMATS:
        raise Problem(
            "unsupported_media_type", f"send the file as one of {', '.join(sorted(_FORMATS))}"
        )
    reading = Reading(
        format or _FORMATS[media_type], language, unknown_fields == "keep", _columns(columns)
    )
    await service.lanes.read(lambda: service.workspace.graph(graph))
    job = await _receive(service, request, graph, reading)
    if "respond-async" in request.headers.get("prefer", ""):
        return json_reply(job_record(job), 202, {"Location": f"/v1/jobs/{job.id}"})
    return StreamingResponse(_told(service, job.id), media_type=NDJSON)


async def _receive(service: Service, request: Request, graph: str, reading: Reading) -> Job:
    """Keep the body in a file, and queue the import of it."""
    jobs = service.jobs
    try:
        job_id, file = await run_sync(jobs.upload)
        try:
            with file:
                async for chunk in request.stream():
                    await run_sync(file.write, chunk)
            return await run_sync(jobs.submit, job_id, graph, reading)
        except BaseException:
            jobs.discard(job_id)
            raise
    except OSError as error:
        raise Problem(
            "store_unavailable", f"the file cannot be kept in the data folder: {error.strerror}"
        ) from None


async def _told(service: Service, job_id: str) -> AsyncIterator[str]:
    """The bad lines as they are found, and last the job."""
    reached = 0
    while True:
        ended = service.jobs.get(job_id).status in ENDED or service.stopping.is_set()
        lines, reached = await run_sync(service.jobs.bad_lines, job_id, reached)
        if lines:
            yield "\n".join(lines) + "\n"
        elif ended:
            record = {"type": "summary", **job_record(service.jobs.get(job_id))}
            yield json.dumps(record) + "\n"
            return
        else:
            await anyio.sleep(_LOOK_AGAIN_SECONDS)


def _columns(given: str | None) -> dict[str, str]:
    pairs = [each.rpartition("=") for each in (given or "").split(",") if each]
    if any(not equals or not name for name, equals, _ in pairs):
        detail = "columns must be NAME=FIELD, several with commas between"
        raise Problem(
            "malformed_request", detail, errors=[{"parameter": "columns", "detail": detail}]
        )
    return {name: field for name, _, field in pairs}


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The graph, line by line, at the revision in `X-Dysk-Revision`.",
            "content": {media: {"schema": {"type": "string"}} for _, media in _EXPORTS.values()},
        },
        **problems("not_found", "invalid_request", "invalid_time", "store_unavailable"),
    },
)
async def export_graph(
    graph: GraphName,
    service: ServiceParts,
    format: ExportName = "jsonl",
    as_of: Annotated[Date | None, Query(description="Facts that hold then; absent: any.")] = None,
) -> Response:
    """The whole graph as a file. JSON Lines lose nothing but history."""
    period = None if as_of is None else parse_date(as_of)
    snapshot = await service.lanes.read(lambda: service.workspace.graph(graph).store.snapshot())
    kind, media_type = _EXPORTS[format]
    return StreamingResponse(
        _chunks(service, snapshot, dump(kind, snapshot, period)),
        media_type=media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{graph}.{format}"',
            "X-Dysk-Revision": str(snapshot.revision),
        },
    )


async def _chunks(service: Service, snapshot: Snapshot, lines: Iterator[str]) -> AsyncIterator[str]:
    with snapshot:
        while batch := await service.lanes.read(lambda: list(islice(lines, _LINES_AT_ONCE))):
            yield "".join(f"{line}\n" for line in batch)
