"""Is the process alive, and can it answer?"""

from __future__ import annotations

from fastapi import APIRouter, Response

from service.dependencies import ServiceParts
from service.errors import Problem
from service.openapi import problems
from service.records import json_reply
from service.replies import Health, Ready
from service.strict import StrictRoute

router = APIRouter(tags=["health"], route_class=StrictRoute)


@router.get("/health", response_model=Health, responses=problems())
async def health() -> Response:
    """Alive: the process answers. Says nothing of the model or the store."""
    return json_reply({"status": "ok"})


@router.get("/ready", response_model=Ready, responses=problems("not_ready"))
async def ready(service: ServiceParts) -> Response:
    """Ready: store, encoder and model can answer; else 503 with the parts that cannot, and why."""
    parts = await service.lanes.read(service.workspace.readiness)
    failing = {part: state for part, state in parts.items() if state != "ok"}
    if not failing:
        return json_reply({"status": "ready", "parts": parts})
    only_loading = set(failing.values()) <= {"loading", "not loaded"}
    raise Problem(
        "not_ready",
        "; ".join(f"{part}: {state}" for part, state in failing.items()),
        headers={"Retry-After": "2"} if only_loading else None,
        extensions={"parts": parts},
    )
