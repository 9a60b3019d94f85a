"""The application: the routes over one workspace."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI

from dysk.errors import DyskError
from dysk.workspace import Workspace
from service import errors, openapi
from service.dependencies import Service
from service.lanes import Lanes
from service.middleware import BodyLimit, RequestLog
from service.routes import ask, changes, facts, graphs, health, layout, page, relations
from service.settings import Settings

log = logging.getLogger("dysk.service")

WARM_GRACE_SECONDS = 5.0
"""How long a stopping service waits for models that are still loading; they cannot be interrupted.
"""


def create_app(workspace: Workspace, settings: Settings) -> FastAPI:
    """The service over ``workspace``. On start-up the models load in the background; the workspace
    is the caller's to close.
    """
    lanes = Lanes(
        concurrent_asks=settings.concurrent_asks, max_waiting_asks=settings.max_waiting_asks
    )
    service = Service(workspace, lanes)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = threading.Thread(target=_warm, args=(workspace,), name="dysk-warm", daemon=True)
        warming.start()
        yield
        service.stopping.set()
        warming.join(WARM_GRACE_SECONDS)

    app = FastAPI(
        title="dysk",
        version=_version(),
        description="Live facts for a frozen language model.",
        lifespan=lifespan,
        redirect_slashes=False,
        redoc_url=None,
    )
    app.state.service = service
    routers = [
        module.router for module in (graphs, ask, changes, relations, layout, facts, health, page)
    ]
    app.state.routes = [route for router in routers for route in router.routes]
    for router in routers:
        app.include_router(router)
    errors.install(app)
    openapi.install(app)
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes)
    app.add_middleware(RequestLog)  # added last, so outermost
    return app


def _version() -> str:
    try:
        return version("dysk")
    except PackageNotFoundError:
        return "source tree"


def _warm(workspace: Workspace) -> None:
    try:
        workspace.warm()
    except DyskError as error:
        log.warning("asks will fail until this is mended: %s", error)
    except Exception:
        log.exception("the models could not be loaded; /ready says which")
