"""Graphs: the units of isolation. Each has its own facts, revisions and feed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from dysk.client import Dysk
from service.dependencies import CallerOf, GraphName, ServiceParts
from service.errors import Problem
from service.openapi import problems
from service.records import json_reply
from service.replies import GraphList, GraphOut
from service.schemas import NewGraph
from service.strict import StrictRoute

router = APIRouter(prefix="/v1/graphs", tags=["graphs"], route_class=StrictRoute)


@router.get("", response_model=GraphList, responses=problems())
async def list_graphs(service: ServiceParts, caller: CallerOf) -> Response:
    """The names of all graphs that the caller may see."""

    def work() -> Response:
        names = [name for name in service.workspace.graphs() if caller.sees(name)]
        return json_reply({"graphs": sorted(names)})

    return await service.lanes.read(work)


@router.post(
    "",
    status_code=201,
    response_model=GraphOut,
    responses=problems(
        "malformed_request",
        "malformed_json",
        "graph_exists",
        "body_too_large",
        "unsupported_media_type",
        "invalid_request",
        "store_unavailable",
    ),
)
async def create_graph(body: NewGraph, service: ServiceParts) -> Response:
    """Create an empty graph."""

    def work() -> Response:
        if body.name in service.workspace.graphs():
            raise Problem(
                "graph_exists", f"there is a graph {body.name!r} already; use it as it is"
            )
        return json_reply(_record(service.workspace.graph(body.name, create=True)), 201)

    return await service.lanes.write(work)


@router.get("/{graph}", response_model=GraphOut, responses=problems("not_found", "invalid_request"))
async def get_graph(graph: GraphName, service: ServiceParts) -> Response:
    """A graph's latest revision and size."""
    return await service.lanes.read(lambda: json_reply(_record(service.workspace.graph(graph))))


@router.delete(
    "/{graph}",
    status_code=204,
    response_class=Response,
    responses=problems(
        "confirmation_required", "not_found", "invalid_request", "store_unavailable"
    ),
)
async def delete_graph(
    graph: GraphName,
    service: ServiceParts,
    confirm: Annotated[str | None, Query(description="The graph's name, once more.")] = None,
) -> Response:
    """Delete a graph with everything in it. Asks for its name twice, because nothing brings it
    back.
    """
    if confirm != graph:
        raise Problem(
            "confirmation_required",
            f"this removes every fact of the graph {graph!r}; confirm by adding ?confirm={graph}",
            errors=[{"parameter": "confirm", "detail": "must repeat the graph's name"}],
        )

    def work() -> Response:
        service.workspace.delete(graph)
        return Response(status_code=204)

    return await service.lanes.write(work)


def _record(graph: Dysk) -> dict[str, object]:
    with graph.store.snapshot() as snapshot:
        return {"name": graph.name, "revision": snapshot.revision, "facts": snapshot.count()}
