"""Relations: how many objects a subject has at a time, and how a fact is worded."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Response

from graph.fact import Relation, SetRelation
from service.dependencies import GraphName, ServiceParts
from service.errors import pointing_at
from service.openapi import problems
from service.records import json_reply, relation_receipt_record
from service.replies import RelationList, RelationOut, RelationReceipt
from service.schemas import RelationSettings
from service.strict import StrictRoute

router = APIRouter(prefix="/v1/graphs/{graph}", tags=["relations"], route_class=StrictRoute)


@router.get(
    "/relations",
    response_model=RelationList,
    responses=problems("not_found", "invalid_request", "store_unavailable"),
)
async def list_relations(graph: GraphName, service: ServiceParts) -> Response:
    """Every relation that is declared or used, by name, with its settings."""

    def work() -> Response:
        with service.workspace.graph(graph).store.snapshot() as snapshot:
            found = [asdict(relation) for relation in snapshot.relations()]
            return json_reply({"revision": snapshot.revision, "relations": found})

    return await service.lanes.read(work)


@router.get(
    "/relations/{relation:path}",
    response_model=RelationOut,
    responses=problems("not_found", "invalid_request", "store_unavailable"),
)
async def get_relation(graph: GraphName, relation: str, service: ServiceParts) -> Response:
    """A relation's settings; one that was never declared has the defaults."""

    def work() -> Response:
        with service.workspace.graph(graph).store.snapshot() as snapshot:
            return json_reply(asdict(snapshot.relation(relation)))

    return await service.lanes.read(work)


@router.put(
    "/relations/{relation:path}",
    response_model=RelationReceipt,
    responses=problems(
        "malformed_request",
        "malformed_json",
        "not_found",
        "body_too_large",
        "unsupported_media_type",
        "invalid_request",
        "invalid_fact",
        "store_unavailable",
    ),
)
async def set_relation(
    graph: GraphName, relation: str, body: RelationSettings, service: ServiceParts
) -> Response:
    """Declare how a relation behaves: `one` supersedes, `many` coexists. Rewrites no fact."""
    settings = Relation(relation, body.cardinality, body.template, body.inverse)

    def work() -> Response:
        found = service.workspace.graph(graph)
        receipt = found.apply([SetRelation(settings)])
        # As stored, with its texts normalised.
        stored = next((each.relation for each in receipt.changes if each.relation), None)
        if stored is None:
            with found.store.snapshot() as snapshot:
                stored = snapshot.relation(relation)
        return json_reply(relation_receipt_record(receipt, stored))

    places = {"/0/relation/template": "/template", "/0/relation/inverse": "/inverse"}
    with pointing_at(places):
        return await service.lanes.write(work)
