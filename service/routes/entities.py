"""Entities: whom and what the facts are about."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from graph.errors import NotFound
from graph.fact import Command, MergeEntities, SetAliases
from graph.interval import parse_date
from service import entities
from service.cursor import Cursor
from service.dependencies import GraphName, Service, ServiceParts
from service.errors import Problem, pointing_at
from service.openapi import problems
from service.records import fact_record, json_reply, receipt_record
from service.replies import EntityOut, EntityPage, Neighbors, ReceiptOut, Timeline
from service.schemas import Date, Merge, NewAliases
from service.strict import StrictRoute

router = APIRouter(prefix="/v1/graphs/{graph}", tags=["entities"], route_class=StrictRoute)

EntityName = Annotated[str, Path(description="Name or alias, exactly.")]
_READ = ("not_found", "history_compacted", "invalid_request", "store_unavailable")
_WRITE = (
    "malformed_request",
    "malformed_json",
    "not_found",
    "body_too_large",
    "unsupported_media_type",
    "invalid_request",
    "invalid_fact",
    "store_unavailable",
)


@router.get(
    "/entities",
    response_model=EntityPage,
    responses=problems(*_READ, "invalid_cursor", "cursor_gone", "revision_unknown"),
)
async def list_entities(
    graph: GraphName,
    service: ServiceParts,
    text: Annotated[
        str | None, Query(max_length=200, description="Part of the name, in any case.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
) -> Response:
    """Names of entities, in the order of their first fact, all pages at one revision.

    A page looks through 5,000 facts at most, so it may have fewer names than `limit` (or a few
    more, since a fact has two); only a null `next_cursor` is the end.
    """
    filters = {"entities": text}
    start = None if cursor is None else Cursor.decode(cursor, filters)

    def work() -> Response:
        store = service.workspace.graph(graph).store
        with store.snapshot(revision=None if start is None else start.revision) as snapshot:
            try:
                found = entities.listed(
                    snapshot, text, None if start is None else start.after, limit
                )
            except NotFound:
                raise Problem(
                    "cursor_gone", "the fact that the page before ended at was erased; list again"
                ) from None
            following = None
            if found.after is not None:
                following = Cursor(snapshot.revision, found.after).encode(filters)
            return json_reply(
                {
                    "revision": snapshot.revision,
                    "entities": found.names,
                    "next_cursor": following,
                }
            )

    return await service.lanes.search(work)


# Names may hold slashes, hence `:path`, and the longer paths come first.
@router.get("/entities/{entity:path}/timeline", response_model=Timeline, responses=problems(*_READ))
async def timeline(graph: GraphName, entity: EntityName, service: ServiceParts) -> Response:
    """Every fact about an entity that held at some time, by its start."""

    def work() -> Response:
        with service.workspace.graph(graph).store.snapshot() as snapshot:
            name = entities.resolved(snapshot, entity)
            facts = [fact_record(fact) for fact in snapshot.timeline(name)]
            return json_reply({"revision": snapshot.revision, "entity": name, "facts": facts})

    return await service.lanes.read(work)


@router.get(
    "/entities/{entity:path}/neighbors",
    response_model=Neighbors,
    responses=problems(*_READ, "invalid_time"),
)
async def neighbors(
    graph: GraphName,
    entity: EntityName,
    service: ServiceParts,
    as_of: Annotated[Date | None, Query(description="Facts that hold then; absent: any.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Facts.")] = 100,
) -> Response:
    """The entities at the other end of an entity's facts, with those facts."""
    period = None if as_of is None else parse_date(as_of)

    def work() -> Response:
        with service.workspace.graph(graph).store.snapshot() as snapshot:
            name = entities.resolved(snapshot, entity)
            found = [
                {"entity": other, "fact": fact_record(fact)}
                for other, fact in entities.around(snapshot, name, period, limit)
            ]
            return json_reply({"revision": snapshot.revision, "entity": name, "neighbors": found})

    return await service.lanes.read(work)


@router.post(
    "/entities/{entity:path}/aliases", response_model=ReceiptOut, responses=problems(*_WRITE)
)
async def add_aliases(
    graph: GraphName, entity: EntityName, body: NewAliases, service: ServiceParts
) -> Response:
    """Give an entity other names. They are found in questions and in filters."""
    return await _apply(
        service, graph, SetAliases(entity, tuple(body.aliases)), {"/0/aliases": "/aliases"}
    )


@router.get("/entities/{entity:path}", response_model=EntityOut, responses=problems(*_READ))
async def get_entity(graph: GraphName, entity: EntityName, service: ServiceParts) -> Response:
    """An entity's canonical name and its other names."""

    def work() -> Response:
        with service.workspace.graph(graph).store.snapshot() as snapshot:
            name = entities.resolved(snapshot, entity)
            return json_reply(
                {"revision": snapshot.revision, "entity": name, "aliases": snapshot.aliases(name)}
            )

    return await service.lanes.read(work)


@router.post("/merges", response_model=ReceiptOut, responses=problems(*_WRITE))
async def merge_entities(graph: GraphName, body: Merge, service: ServiceParts) -> Response:
    """Two names are one entity: what is said of `source` is said of `target` from now on."""
    places = {"/0/source": "/source", "/0/target": "/target"}
    return await _apply(service, graph, MergeEntities(body.source, body.target), places)


async def _apply(
    service: Service, graph: str, command: Command, places: dict[str, str]
) -> Response:
    def work() -> Response:
        return json_reply(receipt_record(service.workspace.graph(graph).apply([command])))

    with pointing_at(places):
        return await service.lanes.write(work)
