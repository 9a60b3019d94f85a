"""Facts and the five verbs on them: add, end, correct, retract, erase."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from dysk.client import Dysk
from graph.errors import NotFound
from graph.fact import Status
from graph.interval import parse_date
from graph.store import Receipt, Snapshot
from service.cursor import Cursor
from service.dependencies import (
    ExpectedRevision,
    FactId,
    GraphName,
    IdempotencyKey,
    Service,
    ServiceParts,
    etag,
)
from service.errors import Problem, pointing_at
from service.openapi import problems
from service.records import fact_record, json_reply, receipt_record
from service.replies import FactOut, FactPage, History, ReceiptOut
from service.schemas import (
    AddFacts,
    Correction,
    Date,
    EndFact,
)
from service.strict import StrictRoute

router = APIRouter(prefix="/v1/graphs/{graph}", tags=["facts"], route_class=StrictRoute)

KnownAt = Annotated[Date | None, Query(description="As believed at the end of this date.")]
AtRevision = Annotated[int | None, Query(ge=0, lt=2**63, description="As believed then.")]

_NOWHERE: Mapping[str, str] = {}
_READ = (
    "malformed_request",
    "not_found",
    "revision_unknown",
    "history_compacted",
    "invalid_request",
    "invalid_time",
    "store_unavailable",
)
_BODY = ("malformed_json", "body_too_large", "unsupported_media_type")
_WRITE = (
    "malformed_request",
    "not_found",
    "invalid_request",
    "invalid_fact",
    "invalid_time",
    "store_unavailable",
)
_CHANGE = (*_WRITE, "precondition_failed")


@router.post(
    "/facts",
    status_code=201,
    response_model=ReceiptOut,
    responses={
        200: {"model": ReceiptOut, "description": "Nothing was written: see each outcome."},
        **problems(*_CHANGE, *_BODY, "conflict", "idempotency_mismatch"),
    },
)
async def add_facts(
    graph: GraphName,
    body: AddFacts,
    key: IdempotencyKey,
    revision: ExpectedRevision,
    service: ServiceParts,
) -> Response:
    """Add 1–1000 facts in one commit, all or nothing. 201: they are durable, and the next ask knows
    them.

    200: nothing new was written, because it was a dry run, a replay of the `Idempotency-Key`, or
    all were stored already. `If-Match` with a revision of the graph refuses if anything was written
    since.
    """
    commands = [fact.command(body.on_conflict) for fact in body.facts]

    started = perf_counter()

    def work() -> Response:
        receipt = service.workspace.graph(graph).apply(
            commands, idempotency_key=key, dry_run=body.dry_run, expect_revision=revision
        )
        written = not (receipt.dry_run or receipt.replayed) and any(
            item.outcome != "unchanged" for item in receipt.items
        )
        if written:
            service.metrics.wrote(graph, receipt.revision, perf_counter() - started)
        return json_reply(receipt_record(receipt), 201 if written else 200)

    with pointing_at({"": "/facts"}):
        return await service.lanes.write(work)


@router.get(
    "/facts", response_model=FactPage, responses=problems(*_READ, "invalid_cursor", "cursor_gone")
)
async def list_facts(
    graph: GraphName,
    service: ServiceParts,
    subject: Annotated[str | None, Query(description="Name or alias, exactly.")] = None,
    relation: str | None = None,
    object: Annotated[str | None, Query(description="Name or alias, exactly.")] = None,
    source: str | None = None,
    status: Status | None = None,
    as_of: Annotated[Date | None, Query(description="Facts that hold then; absent: any.")] = None,
    known_at: KnownAt = None,
    at_revision: AtRevision = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
) -> Response:
    """List facts in the order of their recording. All pages of a listing show one revision."""
    filters = {
        "subject": subject,
        "relation": relation,
        "object": object,
        "source": source,
        "status": status,
        "as_of": as_of,
        "known_at": known_at,
        "at_revision": at_revision,
    }
    start = None if cursor is None else Cursor.decode(cursor, filters)
    if start is not None:
        known_at, at_revision = None, start.revision

    def work() -> Response:
        with _snapshot(service, graph, known_at, at_revision) as snapshot:
            try:
                found = list(
                    snapshot.facts(
                        subject=subject,
                        relation=relation,
                        object=object,
                        source=source,
                        status=status,
                        as_of=None if as_of is None else parse_date(as_of),
                        after=None if start is None else start.after,
                        limit=limit + 1,
                    )
                )
            except NotFound:
                raise Problem(
                    "cursor_gone", "the fact that the page before ended at was erased; list again"
                ) from None
            page, more = found[:limit], len(found) > limit
            following = Cursor(snapshot.revision, page[-1].id).encode(filters) if more else None
            return json_reply(
                {
                    "revision": snapshot.revision,
                    "facts": [fact_record(fact) for fact in page],
                    "next_cursor": following,
                }
            )

    return await service.lanes.read(work)


# Ids may hold slashes (an IRI can be one), hence `:path`, and the longer paths come first.
@router.get("/facts/{fact_id:path}/history", response_model=History, responses=problems(*_READ))
async def fact_history(
    graph: GraphName,
    fact_id: FactId,
    service: ServiceParts,
    known_at: KnownAt = None,
    at_revision: AtRevision = None,
) -> Response:
    """Every version of a fact, oldest first."""

    def work() -> Response:
        with _snapshot(service, graph, known_at, at_revision) as snapshot:
            versions = [fact_record(version) for version in snapshot.history(fact_id)]
        return json_reply({"fact_id": fact_id, "versions": versions})

    return await service.lanes.read(work)


@router.post(
    "/facts/{fact_id:path}/end", response_model=ReceiptOut, responses=problems(*_CHANGE, *_BODY)
)
async def end_fact(
    graph: GraphName,
    fact_id: FactId,
    body: EndFact,
    revision: ExpectedRevision,
    service: ServiceParts,
) -> Response:
    """The fact was true and stopped being so at a date; `If-Match` refuses if it changed since."""
    return await _change(
        service,
        graph,
        lambda client: client.end(fact_id, body.at, expect_revision=revision),
        places={"/0/at": "/at"},
    )


@router.get("/facts/{fact_id:path}", response_model=FactOut, responses=problems(*_READ))
async def get_fact(
    graph: GraphName,
    fact_id: FactId,
    service: ServiceParts,
    known_at: KnownAt = None,
    at_revision: AtRevision = None,
) -> Response:
    """A fact as it is now, or as it was believed to be. Its `ETag` is for `If-Match`."""

    def work() -> Response:
        with _snapshot(service, graph, known_at, at_revision) as snapshot:
            fact = snapshot.get(fact_id)
        return json_reply(fact_record(fact), headers=etag(fact.revision))

    return await service.lanes.read(work)


@router.patch(
    "/facts/{fact_id:path}", response_model=ReceiptOut, responses=problems(*_CHANGE, *_BODY)
)
async def correct_fact(
    graph: GraphName,
    fact_id: FactId,
    body: Correction,
    revision: ExpectedRevision,
    service: ServiceParts,
) -> Response:
    """The fact was recorded wrongly: give the right values. The old version stays visible under
    `known_at`.
    """
    changes = body.model_dump(exclude_unset=True)
    return await _change(
        service,
        graph,
        lambda client: client.correct(fact_id, expect_revision=revision, **changes),
        places={"/0/changes": ""},
    )


@router.delete("/facts/{fact_id:path}", response_model=ReceiptOut, responses=problems(*_CHANGE))
async def delete_fact(
    graph: GraphName,
    fact_id: FactId,
    revision: ExpectedRevision,
    service: ServiceParts,
    mode: Annotated[
        Literal["retract", "erase"],
        Query(description="retract: it was never true; erase: remove every byte of it."),
    ],
) -> Response:
    """Take a fact back. A retracted one stays visible under `known_at`; of an erased one only the
    id remains.
    """
    if mode == "retract":
        return await _change(
            service, graph, lambda client: client.retract(fact_id, expect_revision=revision)
        )
    if revision is not None:
        raise Problem(
            "malformed_request",
            "erasing removes every version, so If-Match cannot guard it; leave the header out",
        )
    return await _change(service, graph, lambda client: client.erase(fact_id))


async def _change(
    service: Service,
    graph: str,
    change: Callable[[Dysk], Receipt],
    *,
    places: Mapping[str, str] = _NOWHERE,
) -> Response:
    started = perf_counter()

    def work() -> Response:
        receipt = change(service.workspace.graph(graph))
        service.metrics.wrote(graph, receipt.revision, perf_counter() - started)
        return json_reply(receipt_record(receipt), headers=_etag_after(receipt))

    with pointing_at(places):
        return await service.lanes.write(work)


def _etag_after(receipt: Receipt) -> dict[str, str]:
    fact = receipt.items[0].fact
    return {} if fact is None else etag(fact.revision)


def _snapshot(
    service: Service, graph: str, known_at: str | None, at_revision: int | None
) -> Snapshot:
    if known_at is not None and at_revision is not None:
        raise Problem("malformed_request", "give known_at or at_revision, not both")
    return service.workspace.graph(graph).store.snapshot(
        revision=at_revision, known_at=None if known_at is None else parse_date(known_at)
    )
