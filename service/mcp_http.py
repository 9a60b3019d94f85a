"""The tools for agents at ``/mcp``, where the extra ``mcp`` is installed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from fastapi import FastAPI
from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings
from starlette.routing import Route

from dysk.client import Dysk
from dysk.remote import RemoteDysk
from service.dependencies import Service
from service.errors import Problem
from service.gate import check_graph
from service.keys import Caller, Scope
from service.mcp_tools import Kind, make_server

T = TypeVar("T")


class _Lanes:
    """Reaches graphs of the service, in its lanes, with the rights of the request's caller."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def run(
        self,
        context: Context[Any, Any],
        graph: str,
        kind: Kind,
        scope: Scope,
        work: Callable[[Dysk | RemoteDysk], T],
    ) -> T:
        """See service.mcp_tools.Access."""
        request = context.request_context.request
        if request is None:
            raise RuntimeError("a tool was called over no request")
        caller: Caller = request.scope["state"]["caller"]
        if not caller.may(scope):
            raise Problem("forbidden", f"this needs a key with the scope {scope}")
        check_graph(caller, graph)
        lanes = self._service.lanes

        def there() -> T:
            return work(self._service.workspace.graph(graph))

        if kind == "ask":
            return await lanes.ask(there, hung_up=_never)
        lane = {"search": lanes.search, "read": lanes.read, "write": lanes.write}[kind]
        return await lane(there)


async def _never() -> bool:
    return False


def mount(app: FastAPI, service: Service) -> Callable[[], AbstractAsyncContextManager[None]]:
    """Serve ``/mcp``, statelessly: any process answers any request. Returns what has to be entered
    while the service runs.
    """
    server = make_server(_Lanes(service), app.version)
    inner = server.streamable_http_app(
        streamable_http_path="/mcp",
        stateless_http=True,
        json_response=True,
        # The gate has looked at the Host header already, by the operator's own rules.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    # Without sessions there is nothing to push, so that the stream of a GET would only hang.
    [answering] = [route for route in inner.routes if isinstance(route, Route)]
    route = Route("/mcp", endpoint=answering.endpoint, methods=["POST"])
    app.router.routes.append(route)
    app.state.routes.append(route)
    return server.session_manager.run
