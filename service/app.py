"""The application: the routes over one workspace."""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from importlib.metadata import PackageNotFoundError, version

from anyio import create_task_group, sleep
from anyio.to_thread import run_sync
from fastapi import FastAPI

from dysk.errors import DyskError
from dysk.workspace import Workspace
from service import errors, tracing
from service.dependencies import Service
from service.gate import Gate
from service.jobs import Jobs
from service.keys import KeyRing
from service.lanes import Lanes
from service.metrics import Metrics
from service.middleware import BodyLimit, Head, RequestLog
from service.openapi import install as install_document
from service.routes import (
    ask,
    changes,
    docs,
    entities,
    facts,
    graphs,
    health,
    jobs,
    keys,
    layout,
    maintenance,
    metrics,
    openai,
    page,
    relations,
    transfer,
)
from service.settings import Settings

log = logging.getLogger("dysk.service")

WARM_GRACE_SECONDS = 5.0
"""How long a stopping service waits for models that are still loading; they cannot be interrupted.
"""


JOB_GRACE_SECONDS = 10.0
"""How long a stopping service waits for the batch of an import that is being written."""
UPDATE_LOOK_SECONDS = 0.01
IDLE_LOOK_SECONDS = 0.25
"""Between looks whether indexes have reached what was written: the timing is as exact as that."""


def create_app(workspace: Workspace, settings: Settings) -> FastAPI:
    """The service over ``workspace``. On start-up the models load in the background; the workspace
    is the caller's to close.
    """
    lanes = Lanes(
        concurrent_asks=settings.concurrent_asks, max_waiting_asks=settings.max_waiting_asks
    )
    service = Service(
        workspace,
        lanes,
        KeyRing(workspace.path),
        Jobs(workspace, max_waiting=settings.max_waiting_jobs),
        Metrics(workspace, lambda: lanes.waiting_asks),
        tracing.from_environment(),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = threading.Thread(target=_warm, args=(workspace,), name="dysk-warm", daemon=True)
        warming.start()
        service.jobs.start()
        async with tools(), create_task_group() as watching:
            watching.start_soon(_time_updates, service)
            yield
            service.stopping.set()
            watching.cancel_scope.cancel()
        await run_sync(service.jobs.stop, JOB_GRACE_SECONDS)
        warming.join(WARM_GRACE_SECONDS)
        if service.traces is not None:
            await run_sync(service.traces.close)

    app = FastAPI(
        title="dysk",
        version=_version(),
        description="Live facts for a frozen language model.",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    of_a_graph = (graphs, facts, relations, entities, maintenance, transfer, changes, ask, layout)
    beside_them = (openai, jobs, keys, metrics, health, docs, page)
    routers = [module.router for module in (*of_a_graph, *beside_them)]
    app.state.routes = [route for router in routers for route in router.routes]
    for router in routers:
        app.include_router(router)
    tools = _mount_tools(app, service)
    errors.install(app)
    install_document(app)
    # The last one added is the outermost.
    app.add_middleware(
        BodyLimit, limit=settings.max_body_bytes, import_limit=settings.max_import_bytes
    )
    app.add_middleware(
        Gate,
        keys=service.keys,
        allowed_hosts=settings.host_names,
        per_minute=settings.requests_per_minute,
    )
    app.add_middleware(Head)
    app.add_middleware(RequestLog, requests=service.metrics.request)
    if service.traces is not None:
        app.add_middleware(tracing.Traced, traces=service.traces)
    return app


def _version() -> str:
    try:
        return version("dysk")
    except PackageNotFoundError:
        return "source tree"


def _mount_tools(app: FastAPI, service: Service) -> Callable[[], AbstractAsyncContextManager[None]]:
    """``/mcp``, where the extra is installed."""
    if importlib.util.find_spec("mcp") is None:
        return nullcontext
    from service.mcp_http import mount

    return mount(app, service)


async def _time_updates(service: Service) -> None:
    """Look often while writes are on their way to an index, seldom while none are."""
    while True:
        more = await service.lanes.read(service.metrics.look)
        await sleep(UPDATE_LOOK_SECONDS if more else IDLE_LOOK_SECONDS)


def _warm(workspace: Workspace) -> None:
    try:
        workspace.warm()
    except DyskError as error:
        log.warning("asks will fail until this is mended: %s", error)
    except Exception:
        log.exception("the models could not be loaded; /ready says which")
