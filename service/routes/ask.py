"""Asking: an answer from the model over the graph, or the facts alone."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from dysk.answer import Answer
from service.asking import answer, event, pieces, told
from service.dependencies import GraphName, ServiceParts
from service.errors import KINDS
from service.lanes import NobodyWaits
from service.openapi import problems
from service.records import evidence_records, json_reply
from service.replies import AnswerOut, SearchResults
from service.schemas import Ask, Search
from service.strict import StrictRoute

router = APIRouter(prefix="/v1/graphs/{graph}", tags=["ask"], route_class=StrictRoute)

EVENT_STREAM = "text/event-stream"
CLIENT_CLOSED_REQUEST = 499
"""For the log alone: the client hung up while its ask was queued."""

_REFUSALS = (
    "malformed_request",
    "malformed_json",
    "not_found",
    "body_too_large",
    "unsupported_media_type",
    "invalid_request",
    "invalid_time",
    "model_unavailable",
    "store_unavailable",
)


@router.post(
    "/ask",
    response_model=AnswerOut,
    responses={
        200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}},
        **problems(
            *_REFUSALS,
            "revision_not_reached",
            "history_compacted",
            "invalid_question",
            "too_many_asks",
        ),
    },
)
async def ask(graph: GraphName, body: Ask, request: Request, service: ServiceParts) -> Response:
    """Ask a question. The answer is read from one revision of the graph and names the facts it
    rests on.

    Asks take turns at the model; writes and reads do not wait for them. With `Accept:
    text/event-stream` the answer comes as the events `meta`, `evidence`, `token` (a word each) and
    `done`, or as `error`. The words come once the whole answer is checked against its evidence.
    """
    question = body.model_dump()
    if EVENT_STREAM in request.headers.get("accept", ""):
        service.lanes.check_room()
        await service.lanes.read(lambda: service.workspace.graph(graph))
        asked = answer(service, graph, question, request)
        return StreamingResponse(
            told(asked, _events, _error_event),
            media_type=EVENT_STREAM,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
    try:
        found = await answer(service, graph, question, request)
    except NobodyWaits:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return json_reply(found.to_dict())


def _events(found: Answer) -> Iterator[str]:
    record = found.to_dict()
    told_first = ("mode", "as_of", "revision", "time_interpretation")
    yield event("meta", {name: record[name] for name in told_first})
    for each in record["evidence"]:
        yield event("evidence", each)
    for piece in pieces(found.text):
        yield event("token", {"text": piece})
    yield event("done", record)


def _error_event(code: str, detail: str) -> str:
    status, title = KINDS[code]
    return event("error", {"code": code, "title": title, "status": status, "detail": detail})


@router.post("/search", response_model=SearchResults, responses=problems(*_REFUSALS))
async def search(graph: GraphName, body: Search, service: ServiceParts) -> Response:
    """Find facts by meaning and by name, best first. No language model takes part."""

    def work() -> Response:
        found = service.workspace.graph(graph).search(body.text, as_of=body.as_of, limit=body.limit)
        return json_reply({"results": evidence_records(found)})

    return await service.lanes.search(work)
