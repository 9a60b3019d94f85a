"""The change feed: every commit in order, as pages of JSON or as an endless stream of events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from graph.bounds import check_since
from graph.errors import GraphError, RevisionUnknown
from graph.store import Commit, FactStore
from service.dependencies import GraphName, LastEventId, Service, ServiceParts
from service.openapi import problems
from service.records import commit_record, json_reply
from service.replies import ChangesPage
from service.strict import StrictRoute

router = APIRouter(prefix="/v1/graphs/{graph}", tags=["changes"], route_class=StrictRoute)

EVENT_STREAM = "text/event-stream"
STREAM_PAGE = 20
WAIT_SECONDS = 1.0
"""One wait for a commit: short, so that a stopping service or a departed reader is noticed soon."""
HEARTBEAT_WAITS = 15
"""Empty waits between comments that keep proxies from closing a quiet stream."""


@router.get(
    "/changes",
    response_model=ChangesPage,
    responses={
        200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}},
        **problems(
            "malformed_request",
            "not_found",
            "revision_unknown",
            "history_compacted",
            "invalid_request",
        ),
    },
)
async def changes(
    graph: GraphName,
    request: Request,
    last_event_id: LastEventId,
    service: ServiceParts,
    since: Annotated[int, Query(ge=0, lt=2**63, description="The last revision seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Commits on a page.")] = 100,
) -> Response:
    """Commits after `since`, oldest first, without gaps.

    With `Accept: text/event-stream` the feed never ends: each event is one commit, its id the
    revision, and `Last-Event-ID` resumes after it.
    """
    streamed = EVENT_STREAM in request.headers.get("accept", "")
    start = last_event_id if streamed and last_event_id is not None else since

    def open_feed() -> tuple[FactStore, int]:
        store = service.workspace.graph(graph).store
        latest = store.revision
        if start > latest:
            raise RevisionUnknown(
                f"revision {start} lies ahead of this graph, which is at {latest}: "
                "it was replaced or restored; read again from 0"
            )
        check_since(start, store.horizon)
        return store, latest

    def page() -> Response:
        store, latest = open_feed()
        commits = store.changes(start, limit=limit)
        reached = commits[-1].revision if commits else start
        return json_reply(
            {
                "commits": [commit_record(commit) for commit in commits],
                "next_since": reached,
                "revision": max(latest, reached),
            }
        )

    if not streamed:
        return await service.lanes.read(page)
    store, _ = await service.lanes.read(open_feed)
    return StreamingResponse(
        _events(service, store, start),
        media_type=EVENT_STREAM,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(service: Service, store: FactStore, since: int) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    idle = 0
    try:
        while not service.stopping.is_set():
            commits = await service.lanes.read(partial(store.changes, since, limit=STREAM_PAGE))
            for commit in commits:
                yield await service.lanes.read(partial(_event, commit))
                since, idle = commit.revision, 0
            if commits:
                continue
            if not await service.lanes.follow(partial(store.wait, since, WAIT_SECONDS)):
                idle += 1
                if idle % HEARTBEAT_WAITS == 0:
                    yield ": nothing new\n\n"
    except GraphError as error:  # the graph was deleted, or its disk failed, while we followed it
        record = json.dumps({"code": error.code, "detail": str(error)})
        yield f"event: error\ndata: {record}\n\n"


def _event(commit: Commit) -> str:
    record = json.dumps(commit_record(commit), ensure_ascii=False)
    return f"id: {commit.revision}\nevent: commit\ndata: {record}\n\n"
