"""Erasing by source or entity, and forgetting old history."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Response

from dysk.forgetting import forget
from service.dependencies import GraphName, ServiceParts
from service.openapi import problems
from service.records import json_reply
from service.replies import CompactionOut, ErasureOut
from service.schemas import Compact, EraseMany
from service.strict import StrictRoute

router = APIRouter(prefix="/v1/graphs/{graph}", tags=["maintenance"], route_class=StrictRoute)

_REFUSALS = (
    "malformed_request",
    "malformed_json",
    "not_found",
    "body_too_large",
    "unsupported_media_type",
    "invalid_request",
    "store_unavailable",
)


@router.post(
    "/erasures",
    response_model=ErasureOut,
    responses=problems(*_REFUSALS, "invalid_fact", "history_compacted"),
)
async def erase_many(graph: GraphName, body: EraseMany, service: ServiceParts) -> Response:
    """Erase every fact that has, or ever had, a source or an entity, and report what is left.

    It looks through the whole history, so it takes longer the longer that is.
    """

    def work() -> Response:
        done = forget(service.workspace.graph(graph), source=body.source, entity=body.entity)
        return json_reply(asdict(done))

    return await service.lanes.write(work)


@router.post(
    "/compactions",
    response_model=CompactionOut,
    responses=problems(*_REFUSALS, "revision_unknown"),
)
async def compact(graph: GraphName, body: Compact, service: ServiceParts) -> Response:
    """Forget what only revisions before `before` need, for good."""
    return await service.lanes.write(
        lambda: json_reply(asdict(service.workspace.graph(graph).compact(body.before)))
    )
