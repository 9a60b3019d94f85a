"""Numbers for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.dependencies import ServiceParts
from service.openapi import problems
from service.strict import StrictRoute

router = APIRouter(tags=["health"], route_class=StrictRoute)


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus' text format.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **problems(),
    },
)
async def metrics(service: ServiceParts) -> Response:
    """Counters and timings of this process; docs/operations.md says what each means."""
    body = await service.lanes.read(service.metrics.exposition)
    return Response(body, media_type=CONTENT_TYPE_LATEST)
