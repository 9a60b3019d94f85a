"""The graph around an entity, with places to draw it at."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from graph.interval import parse_date
from service.dependencies import GraphName, ServiceParts
from service.drawing import MOST_NODES, Neighbourhood, neighbourhood, places
from service.openapi import problems
from service.records import json_reply
from service.schemas import Date
from service.strict import StrictRoute

router = APIRouter(prefix="/v1/graphs/{graph}", tags=["layout"], route_class=StrictRoute)


class NodeOut(BaseModel):
    """An entity in the drawing; x and y run from −1 to 1, and ``hops`` counts from the middle."""

    name: str
    hops: int
    x: float
    y: float


class EdgeOut(BaseModel):
    """A fact in the drawing, from its subject to its object."""

    fact_id: str
    subject: str
    relation: str
    object: str
    valid_from: str | None
    valid_to: str | None


class LayoutOut(BaseModel):
    """The neighbourhood of an entity, which stands first among the nodes."""

    revision: int
    entity: str
    complete: bool = Field(description="False when entities or facts were left out.")
    nodes: list[NodeOut]
    edges: list[EdgeOut]


@router.get(
    "/layout",
    response_model=LayoutOut,
    responses=problems("not_found", "invalid_request", "invalid_time", "store_unavailable"),
)
async def layout(
    graph: GraphName,
    service: ServiceParts,
    entity: Annotated[str, Query(description="The name or alias in the middle, exactly.")],
    as_of: Annotated[Date | None, Query(description="Facts that hold then; absent: any.")] = None,
    hops: Annotated[int, Query(ge=1, le=4, description="How far from the entity.")] = 2,
    limit: Annotated[int, Query(ge=2, le=MOST_NODES, description="Entities drawn.")] = 80,
) -> Response:
    """The facts around an entity and where to draw them: nearest first, up to `limit` entities."""

    def work() -> Response:
        period = None if as_of is None else parse_date(as_of)
        with service.workspace.graph(graph).store.snapshot() as snapshot:
            found = neighbourhood(snapshot, entity, as_of=period, hops=hops, most=limit)
            return json_reply({"revision": snapshot.revision, **_record(found)})

    return await service.lanes.search(work)


def _record(found: Neighbourhood) -> dict[str, object]:
    placed = places(found)
    return {
        "entity": found.entity,
        "complete": found.complete,
        "nodes": [
            {
                "name": name,
                "hops": hops,
                "x": round(placed[name][0], 4),
                "y": round(placed[name][1], 4),
            }
            for name, hops in found.hops.items()
        ],
        "edges": [
            {
                "fact_id": fact.id,
                "subject": fact.subject,
                "relation": fact.relation,
                "object": fact.object,
                "valid_from": fact.valid_from,
                "valid_to": fact.valid_to,
            }
            for fact in found.facts.values()
        ],
    }
