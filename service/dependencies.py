"""What the routes share: the service's parts, and the readers of paths and headers."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Path, Request

from dysk.workspace import Workspace
from service.errors import Problem
from service.jobs import Jobs
from service.keys import Caller, KeyRing
from service.lanes import Lanes
from service.metrics import Metrics
from service.tracing import Traces

_KEY = re.compile(r"[\x21-\x7e]{1,200}", re.ASCII)
_ETAG = re.compile(r'"(\d{1,18})"', re.ASCII)
_REVISION = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that one process serves with. ``stopping`` tells endless streams to end, ``traces``
    is None unless OpenTelemetry is wanted."""

    workspace: Workspace
    lanes: Lanes
    keys: KeyRing
    jobs: Jobs
    metrics: Metrics
    traces: Traces | None = None
    stopping: threading.Event = field(default_factory=threading.Event)


async def service_of(request: Request) -> Service:
    """The running service (a coroutine: FastAPI would send a plain function through a thread)."""
    return cast("Service", request.app.state.service)


async def caller_of(request: Request) -> Caller:
    """Who sends the request, as the gate found."""
    return cast("Caller", request.scope["state"]["caller"])


async def idempotency_key(request: Request) -> str | None:
    """The ``Idempotency-Key`` header: up to 200 visible ASCII characters."""
    key = _single(request, "Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise _bad_header("Idempotency-Key", "1 to 200 visible ASCII characters, no spaces")
    return key


async def expected_revision(request: Request) -> int | None:
    """The revision in ``If-Match``, a fact's ETag or the graph's own; None where any will do."""
    etag = _single(request, "If-Match")
    if etag is None or etag == "*":
        return None
    match = _ETAG.fullmatch(etag)
    if match is None:
        raise _bad_header("If-Match", 'an ETag or a revision, such as "12" (with the quotes)')
    return int(match[1])


async def last_event_id(request: Request) -> int | None:
    """The ``Last-Event-ID`` header of a resumed stream: the last revision seen."""
    given = _single(request, "Last-Event-ID")
    if given is None or given == "":
        return None
    if not _REVISION.fullmatch(given):
        raise _bad_header("Last-Event-ID", "the id of an event of this stream, which is a revision")
    return int(given)


def etag(revision: int) -> dict[str, str]:
    """The header that names a fact's version."""
    return {"ETag": f'"{revision}"'}


def _single(request: Request, name: str) -> str | None:
    given = request.headers.getlist(name)
    if len(given) > 1:
        raise _bad_header(name, "one value, once")
    return given[0].strip() if given else None


def _bad_header(name: str, wanted: str) -> Problem:
    detail = f"the header {name} must hold {wanted}"
    return Problem("malformed_request", detail, errors=[{"header": name, "detail": detail}])


ServiceParts = Annotated[Service, Depends(service_of)]
CallerOf = Annotated[Caller, Depends(caller_of)]
IdempotencyKey = Annotated[str | None, Depends(idempotency_key)]
ExpectedRevision = Annotated[int | None, Depends(expected_revision)]
LastEventId = Annotated[int | None, Depends(last_event_id)]
GraphName = Annotated[str, Path(description="Name of the graph; `default` always exists.")]
FactId = Annotated[str, Path(description="Id of the fact.")]
