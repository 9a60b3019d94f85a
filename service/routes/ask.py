"""Asking: an answer from the model over the graph, or the facts alone."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from service.dependencies import GraphName, ServiceParts
from service.lanes import NobodyWaits
from service.openapi import problems
from service.replies import AnswerOut, SearchResults, evidence_records, json_reply
from service.schemas import Ask, Search
from service.strict import StrictRoute

router = APIRouter(prefix="/v1/graphs/{graph}", tags=["ask"], route_class=StrictRoute)

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
    responses=problems(
        *_REFUSALS,
        "revision_not_reached",
        "history_compacted",
        "invalid_question",
        "too_many_asks",
    ),
)
async def ask(graph: GraphName, body: Ask, request: Request, service: ServiceParts) -> Response:
    """Ask a question. The answer is read from one revision of the graph and names the facts it
    rests on.

    Asks take turns at the model; writes and reads do not wait for them.
    """

    def work() -> Response:
        answer = service.workspace.graph(graph).ask(**body.model_dump())
        return json_reply(answer.to_dict())

    try:
        return await service.lanes.ask(work, hung_up=request.is_disconnected)
    except NobodyWaits:
        return Response(status_code=CLIENT_CLOSED_REQUEST)


@router.post("/search", response_model=SearchResults, responses=problems(*_REFUSALS))
async def search(graph: GraphName, body: Search, service: ServiceParts) -> Response:
    """Find facts by meaning and by name, best first. No language model takes part."""

    def work() -> Response:
        found = service.workspace.graph(graph).search(body.text, as_of=body.as_of, limit=body.limit)
        return json_reply({"results": evidence_records(found)})

    return await service.lanes.search(work)
